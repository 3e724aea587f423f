"""Draw a chain of sidecars, from raw data on the left to its results on the right."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from touchstone.evaluations.statistics.threats import seedless
from touchstone.provenance import chain
from touchstone.provenance.job_folders import name_of

MOST = 40  # boxes; beyond that, files that differ only in a seed share one, then files of one step and folder
WIDTH, HEIGHT = 3.1, 0.62  # inches per box
BOX = {"boxstyle": "round,pad=0.35", "linewidth": 0.8}
PLAIN, ALTERED = {"facecolor": "#f4f6f8", "edgecolor": "#5b6770"}, {"facecolor": "#fde4df", "edgecolor": "#c0392b"}


def draw(sidecars: dict[str, dict[str, Any]], altered: set[str]) -> bytes:
    """Return the chain as SVG, with one box per file or per group of similar files.

    Args:
        sidecars: {file: sidecar}, from `chain.reached`.
        altered: Files whose boxes are red.
    """
    boxes = _boxes(sidecars)
    place_of = {file: box for box, files in boxes.items() for file in files}
    edges = {(place_of[link["file"]], place_of[file]) for file, one in sidecars.items() for link in chain.links(one)}
    columns = _columns(list(boxes), {edge for edge in edges if edge[0] != edge[1]})
    places = {}
    for column, names in enumerate(columns):
        for row, name in enumerate(sorted(names)):
            places[name] = (column * WIDTH, -(row - (len(names) - 1) / 2) * HEIGHT)
    figure = Figure(figsize=(len(columns) * WIDTH, max(map(len, columns)) * HEIGHT + 0.6))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for start, end in sorted(edges):
        arrow = {"arrowstyle": "->", "color": "#9aa5ad", "linewidth": 0.7, "shrinkA": 62, "shrinkB": 62}
        if start != end:
            axes.annotate("", xy=places[end], xytext=places[start], arrowprops=arrow)
    for name, (across, up) in places.items():
        style = ALTERED if altered & set(boxes[name]) else PLAIN
        axes.text(
            across, up, _label(name, boxes[name], sidecars), ha="center", va="center", fontsize=6.5, bbox=BOX | style
        )
    tall = max(map(len, columns)) * HEIGHT / 2 + 0.3
    axes.set_xlim(-WIDTH / 2, (len(columns) - 0.5) * WIDTH)
    axes.set_ylim(-tall, tall)
    drawn = io.BytesIO()
    with rc_context({"svg.hashsalt": "touchstone", "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def _boxes(sidecars: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return {box: its files}, grouped until the picture is readable."""
    boxes: dict[str, list[str]] = {}
    for rule in (lambda file: file, seedless, lambda file: f"{sidecars[file]['step']}: {_kind(file)}"):
        boxes = defaultdict(list)
        for file in sidecars:
            boxes[rule(file)].append(file)
        if len(boxes) <= MOST:
            break
    return dict(boxes)


def _kind(file: str) -> str:
    """Return what files of one kind share: the first word of their names, such as scores."""
    return name_of(file).partition("/")[0]


def _label(name: str, files: list[str], sidecars: dict[str, dict[str, Any]]) -> str:
    steps = " ".join(sorted({sidecars[file]["step"] for file in files}))
    detail = sidecars[files[0]]["artefact"][:19] if len(files) == 1 else f"{len(files)} files"
    short = name_of(name)
    return f"{short if len(short) < 44 else '…' + short[-43:]}\n{steps} · {detail}"


def _columns(names: list[str], edges: set[tuple[str, str]]) -> list[list[str]]:
    """Return the boxes in columns, by the longest chain of inputs behind them."""
    behind = defaultdict(set)
    for start, end in edges:
        behind[end].add(start)
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 0  # groups of files can depend on each other; the first one visited comes first
            depth[name] = 1 + max((depth_of(start) for start in sorted(behind[name])), default=-1)
        return depth[name]

    columns = defaultdict(list)
    for name in names:
        columns[depth_of(name)].append(name)
    return [columns[number] for number in sorted(columns)]
