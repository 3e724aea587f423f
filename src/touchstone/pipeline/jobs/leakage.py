"""Detect leakage: tests on images that a network or a detector was fitted on.

Names do not reveal a leak: `digits_test: {use: digits, part: train}` is a separate set. Two sets share an image if both
contain

- the same row of one source, read by the same component, even if one copy was corrupted or rescaled; or
- the same pixels, from any source.

Two cases are no leak:

- Two rows of one source with the same pixels are the publisher's duplicates. They are reported and kept, because they
  belong to the data set that everyone uses.
- Blank images reveal nothing about their origin.

Images that only look alike (shifted, or compressed again) are not recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from touchstone import digests
from touchstone.data.ingest.pixels import to_levels
from touchstone.records.nouns import Array, ExampleSet

# Settings of data components that select rows and change no image.
CHOOSING = frozenset({"part", "limit", "count", "split_seed", "classes", "labelled", "broken"})
ROW = np.dtype([("pixels", "<u8"), ("more", "<u8"), ("id", "<i8")])  # 128 bits of the image's digest
BLANK = 0  # replaces the digest of an image with only one value
MOST_ROWS, MOST_PAIRS = 10, 10  # listed in one message
REMEDY = """Test on new images: use parts or sources that have no image in common.
If two publishers have the same images, omit them from one set: {use: without_rows, of: SET, rows: [...]}."""
CHUNK = 1000


class Leak(ValueError):
    """A study learns from and tests on the same images."""


@dataclass(frozen=True)
class Overlap:
    """Images that two sets of a study share."""

    tested: str
    learned: str
    reason: str  # why the sets must share no image
    rows: tuple[int, ...]  # example_ids in the tested set
    kind: str  # "the same rows of ...", "the same pixels in rows"
    leaks: bool  # False: duplicates within one source

    def __str__(self) -> str:
        rows = ", ".join(map(str, self.rows[:MOST_ROWS])) + (", ..." if len(self.rows) > MOST_ROWS else "")
        images = f"{len(self.rows)} image{'s' if len(self.rows) > 1 else ''}"
        return (
            f"examples.{self.tested} shares {images} with examples.{self.learned} ({self.kind}: {rows}); {self.reason}"
        )


class Prepared:
    """The example sets of a study that are prepared.

    Args:
        examples: Their entries in the settings.
        settings: Returns the settings of the task that prepares a set.
        read: Returns a set; None if it cannot be read.
        raw: Returns the digest of a source's raw files; None if it is unknown.
    """

    def __init__(
        self,
        examples: dict[str, Any],
        settings: Callable[[str], dict[str, Any]],
        read: Callable[[str], ExampleSet | None],
        raw: Callable[[str], str | None],
    ) -> None:
        self.examples, self._settings, self._read, self._raw = examples, settings, read, raw
        self._rows: dict[str, Array | None] = {}

    def rows(self, name: str) -> Array | None:
        """Return a set's rows, sorted by pixels; None if it cannot be read."""
        if name not in self._rows:
            examples = self._read(name)
            self._rows[name] = None if examples is None else rows_of(examples)
        return self._rows[name]

    def _origin(self, name: str) -> tuple[str, str]:
        """Return two keys of a set: for comparable ids, and for duplicates in one source.

        Ids are comparable if source and component are the same. Ids of generated images need equal settings, too.
        """
        root = root_of(name, self.examples)
        settings = self._settings(root)
        making = {key: value for key, value in settings["component"].items() if key not in CHOOSING}
        source = self.examples[root]["source"]
        if source is None:
            return digests.canonical(settings), digests.canonical(making)
        return digests.canonical([making["use"], self._raw(source) or source]), digests.canonical(making)

    def overlaps(self, tested: str, learned: str, reason: str) -> Iterator[Overlap]:
        """Yield the images that two sets share, by rows and by pixels."""
        first, second = self.rows(tested), self.rows(learned)
        if first is None or second is None:
            return
        examples = self.examples
        origins, makings = zip(*map(self._origin, (tested, learned)), strict=True)
        same_rows = first["id"][np.isin(first["id"], second["id"])] if origins[0] == origins[1] else first["id"][:0]
        duplicates = origins[0] == origins[1] and makings[0] == makings[1]
        if len(same_rows):
            entry = examples[tested]
            source = examples[root_of(tested, examples)]["source"]
            kind = f"the same rows of sources.{source}" if source else "the same generated images"
            if duplicates and not (entry["of"] or examples[learned]["of"] or np.isin(first, second).any()):
                kind = f"{entry['use']}.py gives other images the same example_ids; they must be rows of the source"
            yield Overlap(tested, learned, reason, tuple(sorted(same_rows.tolist())), kind, leaks=True)
        places = np.searchsorted(second["pixels"], first["pixels"]).clip(max=len(second) - 1)
        alike = (second["pixels"][places] == first["pixels"]) & (second["more"][places] == first["more"])
        alike &= (first["pixels"] != BLANK) & ~np.isin(first["id"], same_rows)
        if alike.any():
            rows = tuple(sorted(first["id"][alike].tolist()))
            yield Overlap(tested, learned, reason, rows, "the same pixels in rows", leaks=not duplicates)


def rows_of(examples: ExampleSet) -> Array:
    """Return one ROW per image, sorted by pixels.

    A row contains the image's id and a digest of its shape and 8-bit levels.
    """
    rows = np.zeros(len(examples), ROW)
    shape = str(examples.images.shape[1:]).encode()
    for start in range(0, len(examples), CHUNK):
        levels = to_levels(examples.images[start : start + CHUNK]).reshape(-1, examples.images[0].size)
        varied = np.flatnonzero(levels.min(axis=1) < levels.max(axis=1))
        found = [hashlib.blake2b(levels[place].tobytes(), digest_size=16, key=shape).digest() for place in varied]
        halves = np.frombuffer(b"".join(found), "<u8").reshape(-1, 2)
        rows["pixels"][start + varied], rows["more"][start + varied] = halves.T
    rows["id"] = examples.example_ids
    return np.sort(rows, order=("pixels", "more", "id"))


def root_of(name: str, examples: dict[str, Any]) -> str:
    """Return the original of a derived set, which has a source or is generated."""
    while examples[name]["of"]:
        name = examples[name]["of"]
    return name


def overlaps(apart: Iterable[tuple[str, str, str]], prepared: Prepared) -> list[Overlap]:
    """Return the images that prepared sets share although they must not.

    Args:
        apart: (tested set, learned set, why they must share no image).
        prepared: The sets.
    """
    return [overlap for tested, learned, why in apart for overlap in prepared.overlaps(tested, learned, why)]


def check(apart: Iterable[tuple[str, str, str]], prepared: Prepared) -> list[str]:
    """Return a note for each pair of sets with duplicates of one source.

    Raises:
        Leak: Sets share images that they must not share. The message lists sets and rows.
    """
    every = overlaps(apart, prepared)
    leaks = [str(overlap) for overlap in every if overlap.leaks]
    if leaks:
        more = [f"and {len(leaks) - MOST_PAIRS} more pairs of sets"] if len(leaks) > MOST_PAIRS else []
        raise Leak("\n".join([*leaks[:MOST_PAIRS], *more, REMEDY]))
    return [f"note: {overlap}. Duplicates within one source are kept" for overlap in every]
