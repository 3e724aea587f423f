"""Files that may run code here because the user said so: their digests, one per line, outside any study."""

from __future__ import annotations

from pathlib import Path

from touchstone.digests import sha256

TRUSTED = Path(".touchstone/trusted")
WHY = (
    "TorchScript can read and write all that you can, as soon as it is loaded, so nothing in it can be checked before. Use a"
    " torch.export program (.pt2), which is read as data"
)


def trust(data: bytes, name: str) -> None:
    """Allow a file to run code from now on, under any name."""
    if not trusted(data):
        TRUSTED.parent.mkdir(exist_ok=True)
        with TRUSTED.open("a") as stream:
            stream.write(f"{sha256(data)}  {name!r}\n")


def trusted(data: bytes) -> bool:
    """Return whether a file with these bytes may run code."""
    lines = TRUSTED.read_text().splitlines() if TRUSTED.is_file() else []
    return sha256(data) in (line.partition(" ")[0] for line in lines)


def refusal(data: bytes) -> str:
    """Return why a file may not run code and what to do, as text that follows its name."""
    return (
        f"{WHY} (docs/own_model.md). If the file is your own, `touchstone assay FILE --trust-code` runs it. If a study"
        f" brought it and you trust it, add the line {sha256(data)} to {TRUSTED}"
    )
