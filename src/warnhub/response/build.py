"""The response, put together: one place that says what it is made of."""

from warnhub.config import Settings
from warnhub.plan.audience import Places
from warnhub.plan.planner import Planner
from warnhub.plan.policy import Policy
from warnhub.response.action import Action
from warnhub.response.canary import Canary
from warnhub.response.patrol import Patrol
from warnhub.response.proposing import Proposer
from warnhub.response.responder import Responder
from warnhub.response.runs import Runs
from warnhub.response.tasking import Tasking
from warnhub.response.watch import Watch
from warnhub.store.engine import Store


def make_responder(
    store: Store, settings: Settings, places: Places, policies: dict[int, Policy], planner: Planner
) -> Responder:
    """A responder; the planner tells the people of hazard points first from now on."""
    patrol = Patrol(planner)
    planner.ahead = patrol.lead
    proposer = Proposer(settings, places, policies)
    tasking = Tasking(planner)
    runs = Runs(proposer, tasking)
    watch = Watch(store, proposer)
    canary = Canary(store, proposer, settings.canary, settings.canary_drill)
    return Responder(store, Action(store, frozenset(settings.door_levels)), patrol, runs, watch, canary, tasking)
