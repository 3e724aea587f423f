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
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from touchstone import digests
from touchstone.ingest.pixels import to_levels
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import chain, code, sidecar_files
from touchstone.pipeline.provenance.cache import Cache
from touchstone.pipeline.settings.sections import Section, sections
from touchstone.pipeline.settings.study import Study
from touchstone.records.encoding import decode
from touchstone.records.nouns import Array, ExampleSet

# The settings of an evaluation that name learners.
LEARNERS = ("classifiers", "victims", "rivals", "translators", "detectors", "certificates")
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
    file: str  # of the tested set
    rows: tuple[int, ...]  # example_ids in the tested set
    kind: str  # "the same rows of ...", "the same pixels in rows"
    leaks: bool  # False: duplicates within one source

    def __str__(self) -> str:
        rows = ", ".join(map(str, self.rows[:MOST_ROWS])) + (", ..." if len(self.rows) > MOST_ROWS else "")
        images = f"{len(self.rows)} image{'s' if len(self.rows) > 1 else ''}"
        return (
            f"examples.{self.tested} shares {images} with examples.{self.learned} ({self.kind}: {rows}); {self.reason}"
        )


# --- which sets must share no image ------------------------------------------------------------------------------------


def pairs(study: Study) -> dict[tuple[str, str], str]:
    """Return {(tested, learned): reason} for the pairs of sets that must share no image.

    - In each evaluation: each tested set, and all sets from which a learner learned or took a threshold.
    - In each evaluation: each set that determines thresholds, and the sets from which a learner learned.
    - For each trained network: the set that selects its weights, and the set that trains it.

    Sets that no evaluation combines may share images, like the folds of a cross-validation.
    """
    reasons: dict[tuple[str, str], str] = {}
    kinds = sections()
    for name, question in study["evaluations"].items():
        if not question["classifiers"]:
            continue
        roles = dict(_roles(study, question, kinds))
        if question["fit"]:
            roles.setdefault(question["fit"], f"evaluations.{name}.fit")
        thresholds = {study["study"]["calibration"]: "study.calibration"}
        thresholds |= {example: role for example, role in roles.items() if role.endswith(".calibration")}
        learned = {example: role for example, role in roles.items() if example not in thresholds}
        for tested in (*question["examples"], *question["attacked"]):
            for example, role in (learned | thresholds).items():
                reasons.setdefault((tested, example), f"evaluations.{name} tests on the first, {role} is the second")
        for calibrating, its_role in thresholds.items():
            for example, role in learned.items():
                reasons.setdefault((calibrating, example), f"{its_role} is the first, {role} is the second")
    for section in ("classifiers", "translators"):
        for name, entry in study[section].items():
            if entry["train"]:
                reason = f"{section}.{name}.validation is the first, {section}.{name}.train is the second"
                reasons.setdefault((entry["validation"], entry["train"]), reason)
    return reasons


def _roles(study: Study, question: dict[str, Any], kinds: dict[str, Section]) -> Iterator[tuple[str, str]]:
    """Yield (example set, setting) for all sets that an evaluation's learners use.

    A setting is named as in "classifiers.cnn.train".
    """
    seen = set[tuple[str, str]]()
    waiting: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [("evaluations", question, "", LEARNERS)]
    while waiting:
        section, entry, place, keys = waiting.pop()
        for key in keys:
            reference = kinds[section].references[key]
            value = entry.get(key)
            for name in value if isinstance(value, list) else [value] if value else []:
                other = next(kind for kind in reference.sections if name in study[kind])
                if other == "examples":
                    yield name, f"{place}.{key}"
                elif (other, name) not in seen:
                    seen.add((other, name))
                    waiting.append((other, study[other][name], f"{other}.{name}", tuple(kinds[other].references)))


# --- which images they share -------------------------------------------------------------------------------------------


class Prepared:
    """The example sets in a study's folder: the current ones, or with `stale` all.

    A set is current if today's settings and code would create the same bytes from the same inputs.
    """

    def __init__(self, plan: Plan, root: Path, stale: bool = False) -> None:
        self.plan, self.root, self.stale = plan, root, stale
        self._rows: dict[str, Array | None] = {}
        self._current: dict[str, bool] = {}

    @cached_property
    def _tasks(self) -> dict[str, Task]:
        rule = self.plan.rules["prepare"]
        tasks = {name: self.plan.tasks(rule, examples=name) for name in self.plan.study["examples"]}
        return {task.output: task for (task,) in tasks.values()}

    def rows(self, name: str) -> Array | None:
        """Return a set's rows, sorted by pixels; None if it is not prepared or not current."""
        if name not in self._rows:
            file = self.plan.layout.file("examples", name)
            usable = (self.root / file).is_file() if self.stale else self._is_current(file)
            self._rows[name] = self._read(self.root / file) if usable else None
        return self._rows[name]

    def _is_current(self, file: str) -> bool:
        if file not in self._current:
            self._current[file] = (self.root / file).exists() and self._matches_today(file)
        return self._current[file]

    def _matches_today(self, file: str) -> bool:
        """Return whether a file's sidecar matches today's settings, code and inputs."""
        try:
            sidecar = sidecar_files.read_sidecar(self.root / file)
            inputs = {link["file"]: link["artefact"] for link in chain.links(sidecar)}
            today = {name: sidecar_files.read_sidecar(self.root / name)["artefact"] for name in inputs}
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
        if inputs != today or not all(map(self._is_current, inputs)):
            return False
        if (task := self._tasks.get(file)) is None:
            return True  # raw files
        origin = digests.canonical(sidecar.get("settings")), sidecar.get("code"), set(inputs)
        current = code.code_of(task.step, task.settings).digest
        return origin == (digests.canonical(task.settings), current, set(task.input_files))

    def _read(self, path: Path) -> Array | None:
        """Return the rows of a set's file, if possible from the action cache."""
        try:
            artefact = sidecar_files.read_sidecar(path)["artefact"]
            key = digests.sha256(digests.canonical({"rows of": artefact, "as": ROW.descr}).encode())
            store = Cache.at(self.root)
            if store is not None and (kept := store.fetch(key)) is not None:
                stored: Array = np.load(kept)
                return stored
            rows = rows_of(decode(data := path.read_bytes(), ExampleSet))
            if store is not None and digests.sha256(data) == artefact:  # other bytes have other rows
                buffer = io.BytesIO()
                np.save(buffer, rows)
                store.keep(key, buffer.getvalue())
        except (ValueError, OSError):  # a damaged file: the job that reads it reports it
            return None
        return rows

    def _origin(self, name: str) -> tuple[str, str]:
        """Return two keys of a set: for comparable ids, and for duplicates in one source.

        Ids are comparable if source and component are the same. Ids of generated images need equal settings, too.
        """
        root = root_of(name, self.plan.study["examples"])
        settings = self._tasks[self.plan.layout.file("examples", root)].settings
        making = {key: value for key, value in settings["component"].items() if key not in CHOOSING}
        source = self.plan.study["examples"][root]["source"]
        if source is None:
            return digests.canonical(settings), digests.canonical(making)
        try:
            raw = sidecar_files.read_sidecar(self.root / "data/raw" / source)["artefact"]
        except ValueError:
            raw = source
        return digests.canonical([making["use"], raw]), digests.canonical(making)

    def overlaps(self, tested: str, learned: str, reason: str) -> Iterator[Overlap]:
        """Yield the images that two sets share, by rows and by pixels."""
        first, second = self.rows(tested), self.rows(learned)
        if first is None or second is None:
            return
        file, examples = self.plan.layout.file("examples", tested), self.plan.study["examples"]
        origins, makings = zip(*map(self._origin, (tested, learned)), strict=True)
        same_rows = first["id"][np.isin(first["id"], second["id"])] if origins[0] == origins[1] else first["id"][:0]
        duplicates = origins[0] == origins[1] and makings[0] == makings[1]
        if len(same_rows):
            entry = examples[tested]
            source = examples[root_of(tested, examples)]["source"]
            kind = f"the same rows of sources.{source}" if source else "the same generated images"
            if duplicates and not (entry["of"] or examples[learned]["of"] or np.isin(first, second).any()):
                kind = f"{entry['use']}.py gives other images the same example_ids; they must be rows of the source"
            yield Overlap(tested, learned, reason, file, tuple(sorted(same_rows.tolist())), kind, leaks=True)
        places = np.searchsorted(second["pixels"], first["pixels"]).clip(max=len(second) - 1)
        alike = (second["pixels"][places] == first["pixels"]) & (second["more"][places] == first["more"])
        alike &= (first["pixels"] != BLANK) & ~np.isin(first["id"], same_rows)
        if alike.any():
            rows = tuple(sorted(first["id"][alike].tolist()))
            yield Overlap(tested, learned, reason, file, rows, "the same pixels in rows", leaks=not duplicates)


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


# --- the check ---------------------------------------------------------------------------------------------------------


def overlaps(plan: Plan, root: Path = Path(), among: Collection[str] = (), stale: bool = False) -> list[Overlap]:
    """Return the images that prepared sets share although they must not.

    Args:
        plan: The plan of the study.
        root: The project's folder.
        among: Only pairs with one of these sets; all pairs if empty.
        stale: Also read sets that are not current.
    """
    prepared = Prepared(plan, root, stale)
    selected = ((pair, reason) for pair, reason in pairs(plan.study).items() if not among or set(pair) & set(among))
    return [overlap for pair, reason in selected for overlap in prepared.overlaps(*pair, reason)]


def check(plan: Plan, root: Path = Path(), among: Collection[str] = ()) -> list[str]:
    """Return a note for each pair of sets with duplicates of one source.

    Args:
        plan: The plan of the study.
        root: The project's folder.
        among: Only pairs with one of these sets; all pairs if empty.

    Raises:
        Leak: Sets share images that they must not share. The message lists files, sets and rows.
    """
    every = overlaps(plan, root, among)
    leaks = [f"{overlap.file}: {overlap}" for overlap in every if overlap.leaks]
    if leaks:
        more = [f"and {len(leaks) - MOST_PAIRS} more pairs of sets"] if len(leaks) > MOST_PAIRS else []
        raise Leak("\n".join([*leaks[:MOST_PAIRS], *more, REMEDY]))
    return [f"note: {overlap.file}: {overlap}. Duplicates within one source are kept" for overlap in every]
