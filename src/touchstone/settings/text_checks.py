"""Texts of a study that a reader of its report could not read, or should not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from touchstone.settings.problems import Problem

SENTENCES = (("evaluations", "question"), ("figures", "caption"))
ORIGINS = (("licence", "CC BY 4.0"), ("citation", "A. Author, Flowers, 2026"))
ADDRESSES = ("url", "mirror")


def texts(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield texts that say nothing or hold letters that nobody sees, and addresses with a password."""
    if hidden := hidden_letter(resolved["study"]["title"]):
        yield Problem(("study", "title"), f"holds {hidden}, which nobody would see; write visible letters")
    for section, key in SENTENCES:
        for name, entry in resolved[section].items():
            if not entry[key].strip():
                yield Problem((section, name, key), "expected a sentence for the report, got none")
            elif hidden := hidden_letter(entry[key]):
                yield Problem((section, name, key), f"holds {hidden}, which nobody would see; write visible letters")
    for name, entry in resolved["sources"].items():
        for key, example in ORIGINS:
            if key in entry and not entry[key].strip():
                reason = f"expected a line of text for the report, such as {example}, got none"
                yield Problem(("sources", name, key), reason)
        for key in ADDRESSES:
            if urlsplit(entry.get(key) or "").password:
                reason = "has a password, which every report and record would show; put the file into local_folder"
                yield Problem(("sources", name, key), reason)


def hidden_letter(text: str) -> str:
    """Return the first letter of a text that is neither visible nor a space or an end of a line; "" if none is."""
    return next((ascii(one) for one in text if not (one.isprintable() or one in "\n\t")), "")
