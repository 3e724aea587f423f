"""The file of a study: its text as YAML, the seal that shows later edits, and the path that it is written to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from touchstone import digests
from touchstone.assay.facts import Facts

SEAL, ABOUT = "# As written: ", "# About: "  # the first words of two lines of a study's head
COMMENTS = {
    "sources": "The files and their SHA-256; changed files are refused. `touchstone assay` writes a new study.",
    "sets": "30 of 100 images fit detectors, 20 set thresholds, 50 are tested on: disjoint, stratified by class.",
    "classifiers": "trust_code: opening the model's file can run any code. mean and std normalise its inputs (0 and 1: no).",
    "attacks": "worst is the result: per image, the strongest of several attacks. check_*: tests of the attacks.",
    "detectors": "Thresholds come only from own_calibration. *_network are trained on PGD images of own_fit.",
}


@dataclass(frozen=True)
class Place:
    """The path of a study, sentences on the files that are kept, and whether it replaces one."""

    target: Path
    kept: tuple[str, ...] = ()
    replaces: bool = False


def document(facts: Facts, content: dict[str, Any], left_out: tuple[str, ...]) -> str:
    """Return a study's text: comments, a seal, and one line of YAML per entry of each section.

    content: the keys of the study, of which `data` and `change` hold sections.
    """
    lines = [
        comment(facts.command),
        f"# Run it again: touchstone run PATH_OF_THIS_FILE. Pixels lie in [0, 1]; eps is {facts.eps:.4g} of that range.",
        *(comment(sentence) for sentence in (*facts.notes, *left_out)),
    ]
    for key, value in content.items():
        if key not in ("data", "change"):
            lines.append(f"{key}: {_flow(value)}")
            continue
        lines += ["", f"{key}:"]
        for section, entries in value.items():
            if isinstance(entries, dict):
                lines += [*([f"  # {COMMENTS[section]}"] if section in COMMENTS else []), f"  {section}:"]
                lines += [f"    {name}: {_flow(entry)}" for name, entry in entries.items()]
            else:
                lines.append(f"  {section}: {entries}")
    return _sealed(lines, facts.subject)


class _NoAliases(yaml.SafeDumper):
    """Writes a value in full at each of its places."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _flow(value: Any) -> str:
    """Return a value as one line of YAML."""
    text: str = yaml.dump(
        value, Dumper=_NoAliases, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("...").strip()


def comment(text: str) -> str:
    """Return a text as one YAML comment, without characters that YAML cannot read."""
    return "# " + "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _sealed(lines: list[str], subject: str) -> str:
    """Return a study's text with its subject and a digest that shows any later edit."""
    first, *rest = lines
    body = "\n".join([first, comment(ABOUT.removeprefix("# ") + subject), *rest]) + "\n"
    return body.replace("\n", f"\n{_seal(body)}\n", 1)


def choose(target: Path, subject: str, *, named: bool, force: bool) -> Place:
    """Return where to write a study.

    A study that was edited or has another subject is kept, and the new one gets the next free name, NAME_2.yaml.

    Args:
        target: the first choice.
        subject: the model and the images, as words of a command line.
        named: the user chose the name, so ValueError replaces the next free name.
        force: replace any file.
    """
    kept: list[str] = []
    for path in _names(target):
        reason = "" if force else _reason_to_keep(path, subject)
        if not reason:
            return Place(path, tuple(kept), path.is_file())
        if named:
            raise ValueError(f"{path} {reason}: --force replaces it; another --name or --out keeps both")
        kept.append(f"{path} {reason}, so it is kept (touchstone run {path.stem} runs it, --force replaces it)")
    raise AssertionError("names never end")


def _names(target: Path) -> Iterator[Path]:
    yield target
    yield from (target.with_stem(f"{target.stem}_{number}") for number in count(2))


def _seal(body: str) -> str:
    return f"{SEAL}{digests.sha256(body.encode())} (touchstone assay keeps a study that was edited)"


def _reason_to_keep(path: Path, subject: str) -> str:
    """Return why a file must be kept; "" if it is missing, or an unedited study of the same subject."""
    if not path.exists():
        return ""
    lines = path.read_bytes().decode(errors="replace").split("\n")
    seal = lines.pop(1) if len(lines) > 1 else ""
    if seal != _seal("\n".join(lines)):
        return "was edited" if seal.startswith(SEAL) else "was edited, or is not from touchstone assay"
    about = comment(ABOUT.removeprefix("# ") + subject)
    return "" if about in lines else "is about another model or other images"
