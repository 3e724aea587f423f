"""The files of templates/, rendered: new components with their tests."""

from __future__ import annotations

from typing import Any


def rendered(template: str, **values: Any) -> str:
    """Render a file of templates/, given its name without `.jinja`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("touchstone.commands"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{template}.jinja").render(values)
