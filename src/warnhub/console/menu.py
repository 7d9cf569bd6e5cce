"""The way through the console: what stands in the menu, for whom, and the key that leads there (`g` and then the letter)."""

from dataclasses import dataclass

from warnhub.store.users import User


@dataclass(frozen=True, slots=True)
class Item:
    """A page of the menu. `name`: its message is `menu.<name>`; `role`: who may open it, as in the routes."""

    name: str
    path: str
    key: str
    role: str = "viewer"


GROUPS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "watch",
        (
            Item("now", "", "n"),
            Item("wall", "/wall", "w"),
            Item("holds", "/held", "h"),
            Item("compose", "/compose", "c", "duty"),
            Item("drills", "/drills", "d"),
            Item("mine", "/mine", "n", "agency"),
            Item("own", "/own", "n", "township"),
        ),
    ),
    (
        "respond",
        (
            Item("proposals", "/proposals", "j"),
            Item("lessons", "/lessons", "o", "duty"),
            Item("runs", "/runs", "x"),
            Item("points", "/points", "i"),
        ),
    ),
    (
        "people",
        (
            Item("roster", "/roster", "r"),
            Item("directory", "/directory", "p"),
            Item("search", "/search", "s"),
        ),
    ),
    (
        "rules",
        (
            Item("policy", "/policy", "y"),
            Item("agencies", "/agencies", "a"),
            Item("channels", "/channels", "l"),
            Item("users", "/users", "u", "admin"),
        ),
    ),
    (
        "record",
        (
            Item("reports", "/reports", "e"),
            Item("audit", "/audit", "t"),
        ),
    ),
)
"""Groups are named by the messages `menu.group.<name>`. A new page of the desk adds its line here."""


def menu_of(user: User | None) -> list[tuple[str, list[Item]]]:
    """The groups that this person may open anything of."""
    if user is None:
        return []
    shown = [(name, [item for item in items if user.may(item.role)]) for name, items in GROUPS]
    return [(name, items) for name, items in shown if items]


def current_item(path: str) -> str:
    """The item that the page at `path` (below /console) belongs to; "" for one that is in no menu."""
    items = [item for _, group in GROUPS for item in group]
    fitting = [item for item in items if path == item.path or (item.path and path.startswith(f"{item.path}/"))]
    return max(fitting, key=lambda item: len(item.path)).name if fitting else ""
