"""Writes the tables of README and of these pages anew, each by the command that stands above it: make tables.

A table stands between `<!-- touchstone COMMAND -->` and `<!-- end -->`; the tests fail where it is not what the command
prints.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

from touchstone.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLE = re.compile(r"<!-- touchstone (?P<command>[^\n]*?) -->\n\n(?P<table>.*?)\n?<!-- end -->", re.DOTALL)


def printed(command: str) -> str:
    """Return what `touchstone COMMAND` prints; ValueError where it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if main(shlex.split(command)) != 0:
            raise ValueError(f"touchstone {command} failed")
    return said.getvalue()


def rewritten(text: str) -> str:
    """Return a page with each of its tables as its command prints it now."""
    return TABLE.sub(
        lambda found: f"<!-- touchstone {found['command']} -->\n\n{printed(found['command'])}\n<!-- end -->", text
    )


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text()
        if (new := rewritten(text)) != text:
            page.write_text(new)
            sys.stdout.write(f"{page.relative_to(ROOT)} rewritten\n")
