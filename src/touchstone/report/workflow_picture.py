"""The steps of a workflow as boxes in columns, from raw data on the left to the results on the right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT, ACROSS, DOWN, EDGE = 104, 42, 22, 14, 4  # of a box, of the space between two, of the margin; in pixels


class Stage(NamedTuple):
    """A step of the workflow: how many files it made, and which steps made what it reads."""

    step: str
    files: int
    reads: list[str]


class _Place(NamedTuple):
    left: float
    top: float


def workflow_picture(stages: Sequence[Stage], notes: Mapping[str, str]) -> Markup:
    """Return the steps as an SVG that takes its colours from the page's style sheet.

    An arrow that other arrows imply is left out. A dashed one leads back to an earlier step, such as from the detectors that
    are fitted to the attacks on them.

    Args:
        stages: in the order of the workflow.
        notes: {step: what its box says below its name}.
    """
    order = {stage.step: place for place, stage in enumerate(stages)}
    links = [(source, stage.step) for stage in stages for source in stage.reads if source in order]
    forward = [(source, target) for source, target in links if order[source] < order[target]]
    back = [(source, target) for source, target in links if order[source] > order[target]]
    places = _places(stages, forward, EDGE + (2 * DOWN if back else 0))
    wide, high = (max(place[axis] for place in places.values()) for axis in (0, 1))
    parts = [
        Markup('<svg class="workflow" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            wide + WIDTH + EDGE, high + HEIGHT + EDGE, _words(stages, notes)
        ),
        *(_arrow("arrow", _forward(places[source], places[target])) for source, target in _needed(forward)),
        *(_arrow("arrow back", _backward(places[source], places[target])) for source, target in back),
        *(_box(stage.step, notes.get(stage.step, ""), places[stage.step]) for stage in stages),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def _places(stages: Sequence[Stage], forward: Iterable[tuple[str, str]], top: float) -> dict[str, _Place]:
    """Return the corner of each box: its column is the longest way from a step that reads none before it.

    Args:
        stages: in the order of the workflow.
        forward: (step that is read, step that reads it).
        top: of the first row, below the arrows that lead back.
    """
    columns: dict[str, int] = {}
    rows: dict[int, int] = {}
    places = {}
    for stage in stages:
        column = max((columns[source] + 1 for source, target in forward if target == stage.step), default=0)
        row = rows[column] = rows.get(column, -1) + 1
        columns[stage.step] = column
        places[stage.step] = _Place(EDGE + column * (WIDTH + ACROSS), top + row * (HEIGHT + DOWN))
    return places


def _needed(forward: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the links that no chain of other links implies."""
    after: dict[str, set[str]] = {}
    for source, target in forward:
        after.setdefault(source, set()).add(target)

    def reaches(start: str, end: str) -> bool:
        return end in after.get(start, ()) or any(reaches(step, end) for step in after.get(start, ()))

    return [(one, end) for one, end in forward if not any(reaches(step, end) for step in after[one] - {end})]


def _forward(source: _Place, target: _Place) -> str:
    start, end = source.left + WIDTH, target.left
    up, down = source.top + HEIGHT / 2, target.top + HEIGHT / 2
    bend = end - ACROSS / 2
    return f"M{start} {up}H{end - ACROSS}Q{bend} {up} {bend} {(up + down) / 2}T{end - 2} {down}m-5 -4l5 4l-5 4"


def _backward(source: _Place, target: _Place) -> str:
    start, end = source.left + WIDTH / 2, target.left + WIDTH / 2
    return f"M{start} {source.top}V{EDGE}H{end}V{target.top - 2}m-4 -5l4 5l4 -5"


def _arrow(name: str, path: str) -> Markup:
    return Markup('<path class="{}" d="{}"/>').format(name, path)


def _box(step: str, note: str, place: _Place) -> Markup:
    middle = place.left + WIDTH / 2
    return Markup(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6"/><text class="step" x="{}" y="{}">{}</text>'
        '<text x="{}" y="{}">{}</text>'
    ).format(place.left, place.top, WIDTH, HEIGHT, middle, place.top + 18, step, middle, place.top + 33, note)


def _words(stages: Sequence[Stage], notes: Mapping[str, str]) -> str:
    steps = (
        f"{stage.step} {notes.get(stage.step, '')}" + (f", from {', '.join(stage.reads)}" if stage.reads else "")
        for stage in stages
    )
    return f"The steps of the study and what they read: {'; '.join(steps)}"
