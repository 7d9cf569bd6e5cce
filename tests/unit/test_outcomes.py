"""What a batch came to, in the order in which it is recorded."""

from warnhub.dispatch.recording import Outcomes
from warnhub.store.taken import Part


def test_who_is_named_comes_before_all_the_rest() -> None:
    """One of a batch who hears other words keeps their own message's id, and the others theirs."""
    told = Outcomes()
    told.take(1, 7, "own")
    told.parts += [Part(1, "rest", None), Part(1, "some", (8, 9))]
    assert [(part.people, part.ids or part.provider_id) for part in told.taken()] == [
        ([7], ["own"]),
        ((8, 9), "some"),
        (None, "rest"),
    ]
