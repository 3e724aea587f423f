"""What the commands share: their class, the types of their values, and the refusal of options that have no effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from touchstone.messages import nearest, printable


class _WholeNumber(click.IntRange):
    name = "whole number"


COUNT, POSITIVE = _WholeNumber(min=0), _WholeNumber(min=1)
# Only so that shells complete them: whoever opens a file says what is wrong with it.
FILE, FOLDER = click.Path(readable=False), click.Path(file_okay=False, readable=False)


class Several(click.Option):
    """An option with `multiple=True` that takes several values after one flag, too: `--claims A B`."""


class Command(click.Command):
    """A command that may have options of several values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse words as `click.Command` does, with a flag before each value of an option of several."""
        flags = {flag for option in self.params if isinstance(option, Several) for flag in option.opts}
        try:
            return super().parse_args(ctx, list(_with_each_flag(args, flags)))
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click forgets it if an option lacks its value
            raise


class Choice(click.Choice[str]):
    """A choice that answers a wrong word with the nearest right one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return what is allowed, and the nearest word."""
        return super().get_invalid_choice_message(value, ctx) + nearest(value, self.choices)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """Return what is allowed, on the line of the message."""
        return f"Choose from {', '.join(self.choices)}."


def is_own_process() -> bool:
    """Return whether the command was typed, so that it may restart its process; not if a function called `main`."""
    return bool(click.get_current_context().obj)


def refuse_unused(typed: dict[str, bool], reason: str) -> None:
    """Refuse options that would have no effect.

    Args:
        typed: {option: whether it was typed}.
        reason: Why these options would have no effect.

    Raises:
        UsageError: One of them was typed.
    """
    if unused := [name for name, is_typed in typed.items() if is_typed]:
        raise click.UsageError(printable(f"{unused[0]} {reason}."))


def refuse_together(typed: dict[str, bool]) -> None:
    """Refuse options that exclude each other.

    Args:
        typed: {option: whether it was typed}.

    Raises:
        UsageError: Two of them were typed.
    """
    first, *others = [name for name, is_typed in typed.items() if is_typed] or [""]
    if others:
        raise click.UsageError(f"{first} and {others[0]} do not go together.")


def _with_each_flag(words: list[str], flags: set[str]) -> Iterator[str]:
    """Yield words with the flag before each of its values: `--claims A B` as `--claims A --claims B`."""
    flag, values = "", 0
    for place, word in enumerate(words):
        if word == "--":
            yield from words[place:]
            return
        if word.startswith("-"):
            flag, values = word if word in flags else "", 0
        elif flag:
            values += 1
            if values > 1:
                yield flag
        yield word
