"""`touchstone list KIND`: print the available components and their settings, without importing torch."""

from __future__ import annotations

import ast

import click

from touchstone import registry
from touchstone.commands._command_line import Choice, Command
from touchstone.signatures import Setting


@click.command("list", cls=Command)
@click.argument(
    "kind", required=False, type=Choice(registry.FOLDERS), metavar="[KIND]", help=", ".join(registry.FOLDERS)
)
def main(kind: str | None) -> int:
    """List the components and their settings.

    Without KIND it lists all components, with KIND also their settings.

    \b
    Examples:
      touchstone list
      touchstone list attacks
    """
    for folder in [kind] if kind else registry.FOLDERS:
        print(f"{folder}:")
        for name in registry.names(folder):
            component = registry.component(folder, name)
            print(f"  {name:<22} {_about(component)}")
            for line in _lines(component) if kind else []:
                print(line)
    return 0


def _about(component: registry.Component) -> str:
    """Return what a component is: the first line of its file, or of its function if a plugin's file says nothing."""
    described = ast.get_docstring(ast.parse(component.path.read_bytes())) or f"{component.call.summary.rstrip('.')}."
    return described.splitlines()[0].removeprefix(f"{component.name}: ")


def _lines(component: registry.Component) -> list[str]:
    """Return a component's settings, a line each, and the metrics of an evaluation."""
    metrics = [f"    metrics: {', '.join(component.metrics)}"] if component.metrics else []
    return [_line(*item) for item in component.settings.items()] + metrics


def _line(name: str, setting: Setting) -> str:
    default = "must be given" if setting.required else f"default {setting.default!r}"
    return f"    {name}: {setting.type} ({default})"
