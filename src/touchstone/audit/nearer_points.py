"""Find points of another class that are nearer than a margin says: attacked images of the pack, and a search of one's own.

A margin of a search is an upper bound, so one nearer point is no forgery: another search found it. A share of images beyond
`TOLERATED` is, because the searches that come with touchstone do not miss so many by so much. Within a certified margin
there is no such point, so one is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from touchstone.audit.problems import UNREADABLE
from touchstone.audit.recomputation import Recomputation
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.margin_cells import CERTIFIED
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array, ExampleSet, LeftOutError, Margins, Outputs

SEARCH = {"use": "margins/nearest_classes", "classes": 3, "steps": 30, "polishing_steps": 10}
NEARER = 0.9  # of a margin: nearer points than this count
TOLERATED = 0.2  # share of images with such a point that an honest search may have
CONFIDENCE = 0.999
EXACT = 1e-4  # of a certified margin: what rounding changes


@dataclass(frozen=True)
class Subject:
    """The margins of one network on one clean set in one norm.

    Attributes:
        tasks: Those that measure them.
    """

    network: str
    examples: str
    norm: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Nearer:
    """Images with points that are nearer than the margins of a file say.

    Attributes:
        file: Of the margins.
        image: The id of the image whose point is nearest in units of its margin.
        margin: Of that image.
        distance: Of that point.
        found_by: What found that point: a file, or the challenge's own search.
        count: How many images have a nearer point.
        total: Of how many that were looked at.
        contradicts: Whether they are too many for an honest search.
    """

    file: str
    image: int
    margin: float
    distance: float
    found_by: str
    count: int
    total: int
    contradicts: bool


def subjects(reader: Recomputation) -> list[Subject]:
    """Return what the margins of a pack are about."""
    groups: dict[tuple[str, str, str], list[Task]] = {}
    for file in reader.selection.files:
        task = reader.selection.tasks[file]
        if task.step == "measure" and "draws" not in task.settings:
            norm = str(task.settings["component"].get("norm", "linf"))
            key = str(task.inputs["checkpoint"]), str(task.inputs["examples"]), norm
            groups.setdefault(key, []).append(task)
    return [Subject(*key, tuple(tasks)) for key, tasks in groups.items()]


def nearer(reader: Recomputation, subject: Subject, count: int, random: np.random.Generator) -> list[Nearer]:
    """Return which margins of a subject nearer points deny: attacked images in the pack, and a search on a sample.

    Args:
        reader: Of the pack.
        subject: The margins.
        count: How many images to search; 0 for none.
        random: Draws them.
    """
    stated = {task.output: margins for task in subject.tasks if (margins := _margins(reader, task)) is not None}
    if not stated:
        return []
    found = [*_attacked(reader, subject, next(iter(stated.values())))]
    if count:
        found.append(_searched(reader, subject, next(iter(stated)), stated, count, random))
    upper = {file: margins for file, margins in stated.items() if not margins.method.startswith(CERTIFIED)}
    results = []
    for file, margins in stated.items():
        if file not in upper:
            results += _denied(file, margins.example_ids, margins.margins * (1 - EXACT) - EXACT / 255, found, fewest=1)
    if upper:
        first = next(iter(upper.values()))
        every = [_by_id(margins.example_ids, margins.margins, first.example_ids) for margins in upper.values()]
        kept = np.minimum.reduce(every)
        for points in found:  # each by itself: attacked images are many and far, searched ones few and near
            results += _denied(next(iter(upper)), first.example_ids, NEARER * kept, [points], fewest=None)
    return results


def too_many(hits: int, total: int) -> bool:
    """Return whether more images have nearer points than an honest search misses, by the exact interval of their share.

    Args:
        hits: Images with a point that is nearer by more than a tenth.
        total: Images that were looked at.
    """
    return intervals.exact(hits, total, CONFIDENCE)[0] > TOLERATED


@dataclass(frozen=True)
class _Points:
    """The distance of the nearest point of another class of each image, +inf if there is none, and what found it."""

    ids: Array
    distances: Array
    found_by: list[str]


def _margins(reader: Recomputation, task: Task) -> Margins | None:
    try:
        margins: Margins = reader.noun(task.output, "Margins")
    except (LeftOutError, *UNREADABLE):  # named where it is recomputed
        return None
    return margins


def _by_id(ids: Array, values: Array, wanted: Array) -> Array:
    """Return the value of each wanted id; +inf if it has none."""
    places = {int(name): place for place, name in enumerate(ids)}
    return np.array([values[places[int(name)]] if int(name) in places else np.inf for name in wanted])


def _attacked(reader: Recomputation, subject: Subject, margins: Margins) -> Iterator[_Points]:
    """Yield the points that attacked images of the pack are, where they change the network's class."""
    ids = margins.example_ids
    best, by = np.full(len(ids), np.inf), [""] * len(ids)
    for file in reader.selection.files:
        task = reader.selection.tasks[file]
        if task.step != "infer" or task.inputs.get("checkpoint") != subject.network or "translators" in task.inputs:
            continue
        attack = reader.selection.tasks.get(str(task.inputs["examples"]))
        if attack is None or attack.step != "attack" or attack.inputs.get("examples") != subject.examples:
            continue
        try:
            clean: ExampleSet = reader.noun(subject.examples, "ExampleSet")
            attacked: ExampleSet = reader.noun(attack.output, "ExampleSet")
            outputs: Outputs = reader.noun(file, "Outputs")
        except (LeftOutError, *UNREADABLE):
            continue
        if not all(np.array_equal(each.example_ids, clean.example_ids) for each in (attacked, outputs)):
            continue  # named where the rows are compared
        predicted = _by_id(ids, margins.predictions.astype(float), clean.example_ids)
        distances = _distances(attacked.images - clean.images, subject.norm)
        # The clean image itself is no point of another class; outputs that say so are none of it.
        distances[(outputs.predictions == predicted) | np.isinf(predicted) | (distances == 0)] = np.inf
        distances = _by_id(clean.example_ids, distances, ids)
        by = [attack.output if closer else before for closer, before in zip(distances < best, by, strict=True)]
        best = np.minimum(best, distances)
    if np.isfinite(best).any():
        yield _Points(ids, best, by)


def _distances(change: Array, norm: str) -> Array:
    flat = change.reshape(len(change), -1).astype(np.float64)
    return np.asarray(np.abs(flat).max(axis=1) if norm == "linf" else np.linalg.norm(flat, axis=1))


def _searched(
    reader: Recomputation,
    subject: Subject,
    file: str,
    stated: dict[str, Margins],
    count: int,
    random: np.random.Generator,
) -> _Points:
    """Return the points that a search finds for a sample of the images."""
    task = reader.selection.tasks[file]
    rows = np.sort(random.permutation(len(stated[file].example_ids))[:count])
    settings = task.settings | {"component": SEARCH | {"norm": subject.norm}}
    ids = reader.noun(subject.examples, "ExampleSet").example_ids
    places = {int(name): place for place, name in enumerate(ids)}
    rows = np.array([places[int(name)] for name in stated[file].example_ids[rows]])
    margins: Any = reader.compute(replace(task, settings=settings), rows)
    return _Points(margins.example_ids, margins.margins, ["the challenge's search"] * len(rows))


def _denied(file: str, ids: Array, bounds: Array, found: list[_Points], *, fewest: int | None) -> list[Nearer]:
    """Return where points are nearer than bounds.

    Args:
        file: Of the margins.
        ids: Of the images of the bounds.
        bounds: (N,), below which no point is expected.
        found: The points.
        fewest: How many of them contradict the file; None to decide by the share that is tolerated.
    """
    results = []
    for points in found:
        here = np.isfinite(points.distances)
        limits = _by_id(ids, bounds, points.ids)
        closer = here & (points.distances < limits)
        total, hits = int(here.sum()), int(closer.sum())
        if not hits:
            continue
        ratio = np.where(closer, points.distances / np.maximum(np.where(np.isinf(limits), 1e9, limits), 1e-12), np.inf)
        worst = int(ratio.argmin())
        contradicts = too_many(hits, total) if fewest is None else hits >= fewest
        scale = 1.0 if fewest is not None else NEARER
        results.append(
            Nearer(
                file, int(points.ids[worst]), float(limits[worst] / scale), float(points.distances[worst]),
                points.found_by[worst], hits, total, contradicts,
            )
        )  # fmt: skip
    return results
