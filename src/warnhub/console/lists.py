"""The list of warnings: the board, and what is over."""

from starlette.responses import Response

from warnhub.console.board import Entry
from warnhub.console.visit import Visit
from warnhub.store.overview import ended_warnings

PAGE = 20
OLD = 30.0
"""Seconds for which the figures of a warning that is over are good."""


async def show_list(visit: Visit) -> Response:
    """The page."""
    before = visit.request.query_params.get("before", "")
    async with visit.hub.store.read() as conn:
        older = await ended_warnings(conn, int(before) if before.isdecimal() and len(before) < 19 else None, PAGE + 1)
    summaries = [(warning, await visit.hub.monitor.summary(warning.uid, OLD)) for warning in older[:PAGE]]
    ended = [Entry(warning, "", summary) for warning, summary in summaries if summary]
    more = older[PAGE - 1].id if len(older) > PAGE else None
    board = await visit.console.boards.look(fresh=0.2)
    return visit.page("list.html", board=board, ended=ended, more=more, acts=visit.may("duty"))


async def show_wall(visit: Visit) -> Response:
    """What is seen from three metres: warnings that live, in few and large figures."""
    board = await visit.console.boards.look(fresh=0.2)
    return visit.page("wall.html", board=board, acts=False)
