"""The parser of the command line, and the arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from touchstone.digests import DIGEST
from touchstone.messages import nearest
from touchstone.pipeline.settings.files import DEFAULT_STUDY

RAW = "data/raw"  # the folder of a project with the raw files of each source


class WrongArguments(ValueError):
    """Arguments that do not go together; the command line reports them as argparse reports its own errors."""


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests the nearest word for an unknown one.

    commands: the parser of each command, by its name.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Parser] = {}

    def refuse(self, unknown: list[str]) -> NoReturn:
        """Exit with code 2 and a message about arguments that this command does not have."""
        flag = unknown[0].partition("=")[0]
        self.error(f"unknown: {' '.join(unknown)}.{nearest(flag, self._option_string_actions)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            words = list(map(str, action.choices))
            raise argparse.ArgumentError(action, f"{value}: not one of {', '.join(words)}.{nearest(value, words)}")


def add_study(parser: argparse.ArgumentParser, text: str | None = None) -> None:
    """Add the optional argument STUDY."""
    parser.add_argument("study", nargs="?", default=DEFAULT_STUDY, help=text)


def add_cores(parser: argparse.ArgumentParser, subject: str = "") -> None:
    """Add --cores: "all", or a number as text.

    subject: The first words of its help, such as "of a paper: ".
    """
    parser.add_argument("--cores", type=_cores, default="all", help=f"{subject}how many cores to use (default: all)")


def count(text: str) -> int:
    """Return a whole number, 0 or more; ArgumentTypeError for any other text."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 0 or more")
    return int(text)


def positive(text: str) -> int:
    """Return a whole number, 1 or more; ArgumentTypeError for any other text."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 1 or more")
    return int(text)


def refuse_unused(typed: dict[str, bool], reason: str) -> None:
    """Refuse options that would have no effect.

    Args:
        typed: {option: whether it was typed}.
        reason: Why these options would have no effect.

    Raises:
        WrongArguments: One of them was typed.
    """
    if unused := [name for name, is_typed in typed.items() if is_typed]:
        raise WrongArguments(f"argument {unused[0]}: {reason}")


def check_digest(flag: str, text: str | None) -> None:
    """Raise ValueError for an incomplete digest, which would otherwise be reported as a forgery."""
    if text is not None and not DIGEST.fullmatch(text):
        raise ValueError(f"{flag} {text}: expected a whole digest, sha256: and 64 hexadecimal digits")


def raw_folders(typed: str | None) -> dict[str, Path]:
    """Return the folders of raw files by the name of their source, from the folder that was typed or the project's.

    Raises:
        ValueError: The folder that was typed holds no folder.
    """
    raw = Path(typed or RAW)
    if typed and not (raw.is_dir() and any(place.is_dir() for place in raw.iterdir())):
        raise ValueError(
            f"--raw {typed}: expected a folder with one folder of raw files for each source, such as {RAW}"
        )
    return {place.name: place.resolve() for place in sorted(raw.iterdir()) if place.is_dir()} if raw.is_dir() else {}


def _cores(text: str) -> str:
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text}: expected a number of cores, 1 or more, or all")
    return text
