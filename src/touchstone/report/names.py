"""Who is who in a report: every name of a study, with its component and settings, and what people call it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from touchstone.claims import entry_words

SECTIONS = {
    "examples": "Data sets",
    "classifiers": "Networks",
    "translators": "Translators",
    "defences": "Defences",
    "attacks": "Attacks",
    "margins": "Margin searches",
    "detectors": "Detectors",
}


TRAINED = {  # what training gives, where its summary says only what its loss is
    "training/clean": "a network trained on clean images",
    "training/label_smoothing": "a network trained on clean images with smoothed labels",
    "training/member_wise": "an ensemble whose members are trained on clean images, each by itself",
    "training/one_versus_rest": "a network trained to say of each class by itself whether it is there",
}

_WORDS: ContextVar[Mapping[str, str]] = ContextVar("words", default={})  # noqa: B039  (never changed in place)


@contextmanager
def words(of_entries: Mapping[str, str]) -> Iterator[None]:
    """Let figures of the block call entries as people do.

    Args:
        of_entries: {entry: what people call it}.
    """
    token = _WORDS.set(of_entries)
    try:
        yield
    finally:
        _WORDS.reset(token)


@contextmanager
def told_apart(entries: Iterable[str]) -> Iterator[None]:
    """Let figures of the block add the name of an entry where several of these are called alike, such as two epochs of one.

    Args:
        entries: of one figure.
    """
    texts = {entry: called(entry) for entry in entries}
    alike = Counter(texts.values())
    with words({**_WORDS.get(), **{entry: f"{text} ({entry})" for entry, text in texts.items() if alike[text] > 1}}):
        yield


def called(entry: str) -> str:
    """Return what a title or a sentence calls an entry: "the CNN trained on PGD"."""
    return entry_words.called(entry, _WORDS.get())


def label_of(entry: str) -> str:
    """Return what a row, a curve or a panel of a figure calls an entry: "CNN trained on PGD"."""
    return called(entry).removeprefix("the ")


class Name(NamedTuple):
    """A name of a study.

    Attributes:
        name: as the study gives it.
        use: the component.
        settings: in one line.
        about: what the component returns, in one sentence.
    """

    name: str
    use: str
    settings: str
    about: str = ""


def who_is_who(settings: dict[str, Any], summaries: Mapping[str, str]) -> dict[str, list[Name]]:
    """Return {title: names} of every section that has entries.

    Args:
        settings: of the study, resolved. Settings that are off (null, false, empty) are omitted. The settings of a nested
            component follow its name: "attack pgd (eps 0.1, steps 7)".
        summaries: {component: what it returns, in one sentence}.
    """
    return {
        title: [
            Name(name, _last(use), _listed(entry), _about(use, summaries.get(use, "")))
            for name, entry in settings[section].items()
            for use in [entry.get("use", "")]
        ]
        for section, title in SECTIONS.items()
        if settings.get(section)
    }


def _about(use: str, summary: str) -> str:
    """Return what a component gives, from the first sentence of its summary."""
    if summary and use in TRAINED:
        return TRAINED[use]
    first = summary.split(". ")[0].removeprefix("Return ")
    return re.sub("^Train on ", "a network trained on ", first) if use.startswith("training/") else first


def _last(use: str) -> str:
    return use.rpartition("/")[2]


def _listed(entry: dict[str, Any]) -> str:
    return ", ".join(_parts(entry))


def _parts(entry: dict[str, Any]) -> Iterator[str]:
    for key, value in entry.items():
        if key == "use" or value is None or value is False or value in ([], {}, ""):
            continue
        if isinstance(value, dict):
            inner = _listed(value)
            yield f"{key} {_last(value.get('use', ''))}" + (f" ({inner})" if inner else "")
        else:
            yield f"{key} {_written(value)}"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_written(item) for item in value)
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)
