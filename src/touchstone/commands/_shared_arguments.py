"""Arguments that several commands share, and the words by which a shell completes them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from touchstone.digests import DIGEST
from touchstone.plugins import PACKAGE
from touchstone.settings.files import DEFAULT_STUDY

RAW = "data/raw"  # the folder of a project with the raw files of each source

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def study_argument(text: str = "a study's name, or its file's path", name: str = "study") -> Decorator:
    """Return the decorator for the optional argument STUDY.

    Args:
        text: Its help.
        name: The parameter that receives it.
    """
    return click.argument(
        name, default=DEFAULT_STUDY, help=f"{text} (default: {DEFAULT_STUDY})", shell_complete=studies
    )


def cores_option(subject: str = "", default: str | None = "all") -> Decorator:
    """Return the decorator for --cores: "all", or a number as text.

    Args:
        subject: The first words of its help, such as "of a paper: ".
        default: Its value if it is not typed.
    """
    text = f"{subject}how many cores to use (default: all)"
    return click.option("--cores", type=_cores, default=default, metavar="N", help=text)


def device_option(function: Function) -> Function:
    """Add --device to a command."""
    return click.option(
        "--device", type=click.Choice(("cpu", "cuda")), default="cpu", help="what computes (default: cpu)"
    )(function)


def studies(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the names of the project's studies that a word may become, or files if it becomes none."""
    names = sorted(path.stem for path in Path("workflow/studies").glob("*.yaml"))
    return _beginning(names, incomplete) or [CompletionItem(incomplete, type="file")]


def papers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the names of the shipped papers that a word may become."""
    return _beginning(sorted(path.parent.name for path in PACKAGE.glob("papers/*/claims.yaml")), incomplete)


def claims(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the claims of the study on the line that a word may become, from the report of its last run."""
    # click has not parsed the words before an option that lacks its value: they are in `args`
    study = next(filter(None, (*context.args, *map(context.params.get, ("study", "what", "file")))), DEFAULT_STUDY)
    try:
        with Path("reports", Path(study).stem, "claims.csv").open(encoding="utf-8", newline="") as table:
            return _beginning([line["claim"] for line in csv.DictReader(table)], incomplete)
    except (OSError, ValueError, KeyError, csv.Error):  # no report, or a damaged one: there is nothing to complete
        return []


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


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    """Return the words that begin with what was typed; none with a character that would break the shell's protocol."""
    return [CompletionItem(word) for word in words if word.startswith(incomplete) and word.isprintable()]


def _cores(text: str) -> str:
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise click.BadParameter(f"{text!r} is neither all nor a number of cores, 1 or more.")
    return text
