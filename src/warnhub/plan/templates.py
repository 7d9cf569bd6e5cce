"""The templates of the words, in a sandbox: a county may lay its own over ours, and none of them can reach out of its text.

`<language>/<channel>.j2` with the blocks `title` and `text`; a name that is not given is an error, not an empty place. Looked
for under the county's folder first, in the language itself and then in its frame (`zh` or `en`).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

FAILURES = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
LONGEST = 20_000


class WordingError(ValueError):
    """A template cannot be used: its name, its line where it is known, and why."""


class Sandbox(ImmutableSandboxedEnvironment):
    """No attribute that starts with _, nothing that changes what it is given, no text multiplied until memory is full."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`*` between small numbers only; never `**`."""
        if operator == "*" and isinstance(left, int) and isinstance(right, int):
            return left * right
        raise SecurityError(f"{operator} is not allowed here")


@cache
def environment(folder: Path | None = None) -> Sandbox:
    """The templates, the county's first. They are read once."""
    ours: list[BaseLoader] = [PackageLoader("warnhub.plan", "words")]
    loaders = [FileSystemLoader(folder), *ours] if folder else ours
    return Sandbox(
        loader=ChoiceLoader(loaders),
        undefined=StrictUndefined,
        autoescape=False,  # plain text; pages that show it escape it themselves
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def render_block(folder: Path | None, names: list[str], block: str, values: Mapping[str, Any]) -> str:
    """One block of the first template there is; "" if it has no such block. Raises `WordingError`."""
    try:
        template = environment(folder).select_template(names)
        made = "".join(template.blocks[block](template.new_context(dict(values)))) if block in template.blocks else ""
    except FAILURES as error:
        line = getattr(error, "lineno", None)
        place = f"{names[-1]}:{line}" if line else names[-1]
        raise WordingError(f"{place}: {type(error).__name__}: {error}") from error
    if len(made) > LONGEST:
        raise WordingError(f"{names[-1]}: makes more than {LONGEST} characters")
    return made.strip()


def template_names(language: str, frame: str, name: str) -> list[str]:
    """Where a template is looked for: in the language, then in its frame. `language` is BCP 47."""
    own = "".join(one for one in language.split("-")[0].lower() if one.isalpha())
    return list(dict.fromkeys(f"{place}/{name}.j2" for place in (own or frame, frame)))
