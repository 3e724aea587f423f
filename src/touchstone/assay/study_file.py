"""The file that an assay writes its study to, and whether what is there already may be replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from touchstone import digests

SEAL, ABOUT = "# As written: ", "# About: "  # how two lines of a study's head begin


@dataclass(frozen=True)
class Place:
    """Where a study goes, and in words what is kept or replaced."""

    target: Path
    kept: tuple[str, ...] = ()
    replaces: bool = False


def comment(text: str) -> str:
    """Return `text` as one comment of YAML: no line breaks, nothing that YAML cannot read."""
    return "# " + "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def sealed(lines: list[str], subject: str) -> str:
    """Return the text of a study with, below its first line, what it is about and a digest that shows any later edit."""
    first, *rest = lines
    body = "\n".join([first, comment(ABOUT.removeprefix("# ") + subject), *rest]) + "\n"
    return body.replace("\n", f"\n{_seal(body)}\n", 1)


def choose(target: Path, subject: str, *, stated: bool, force: bool) -> Place:
    """Return where to write a study about `subject` (the model and the images) whose name suggests `target`.

    A study that was edited, and one about something else, is kept: then the place is the next free name, NAME_2.yaml.
    Where the user `stated` the name, ValueError says so instead. `force` replaces whatever is there.
    """
    kept: list[str] = []
    for path in _names(target):
        reason = "" if force else _reason_to_keep(path, subject)
        if not reason:
            return Place(path, tuple(kept), path.is_file())
        if stated:
            raise ValueError(f"{path} {reason}: --force replaces it; another --name or --out keeps both")
        kept.append(f"{path} {reason}, so it is kept (touchstone run {path.stem} runs it, --force replaces it)")
    raise AssertionError("names never end")


def _names(target: Path) -> Iterator[Path]:
    yield target
    yield from (target.with_stem(f"{target.stem}_{number}") for number in count(2))


def _seal(body: str) -> str:
    return f"{SEAL}{digests.sha256(body.encode())} (touchstone assay keeps a study that was edited)"


def _reason_to_keep(path: Path, subject: str) -> str:
    """Return why a file has to be kept; "" where there is none, or one as an assay about `subject` wrote it."""
    if not path.exists():
        return ""
    lines = path.read_bytes().decode(errors="replace").split("\n")
    seal = lines.pop(1) if len(lines) > 1 else ""
    if seal != _seal("\n".join(lines)):
        return "was edited" if seal.startswith(SEAL) else "was edited, or is not from touchstone assay"
    about = comment(ABOUT.removeprefix("# ") + subject)
    return "" if about in lines else "is about another model or other images"
