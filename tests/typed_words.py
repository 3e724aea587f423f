"""What a command gets from the words that are typed; the command does not run."""

from __future__ import annotations

from types import SimpleNamespace

import click

from touchstone.__main__ import command_line
from touchstone.assay import arguments


def parsed(*words: str) -> click.Context:
    """Return the context of a command, such as `parsed("run", "tiny")`, with its values in `params`."""
    context = click.Context(command_line, info_name="touchstone")
    name, command, rest = command_line.resolve_command(context, list(words))
    assert command is not None
    return command.make_context(name, rest, parent=context)


def assay_arguments(*words: str) -> arguments.Arguments:
    """Return the arguments of `touchstone assay WORDS`, checked."""
    return arguments.parsed(SimpleNamespace(effort="usual", **parsed("assay", *words).params))
