"""A picture of a chain of sidecars: raw data on the left, what was made of it to the right."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from touchstone.pipeline.provenance import chain
from touchstone.statistics.threats import seedless

MOST = 40  # boxes; above, files that differ in a seed alone share one, then those of one step and folder
WIDTH, HEIGHT = 3.1, 0.62  # inches of one box's place
BOX = {"boxstyle": "round,pad=0.35", "linewidth": 0.8}
PLAIN, ALTERED = {"facecolor": "#f4f6f8", "edgecolor": "#5b6770"}, {"facecolor": "#fde4df", "edgecolor": "#c0392b"}


def draw(found: dict[str, dict[str, Any]], altered: set[str]) -> bytes:
    """Return the chain as SVG: one box per file, or per group of alike files where they are many; altered ones red.

    found: {file: sidecar} as `chain.reached` gives it.
    """
    boxes = _boxes(found)
    place_of = {file: box for box, files in boxes.items() for file in files}
    edges = {(place_of[link["file"]], place_of[file]) for file, one in found.items() for link in chain.links(one)}
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
            across, up, _label(name, boxes[name], found), ha="center", va="center", fontsize=6.5, bbox=BOX | style
        )
    tall = max(map(len, columns)) * HEIGHT / 2 + 0.3
    axes.set_xlim(-WIDTH / 2, (len(columns) - 0.5) * WIDTH)
    axes.set_ylim(-tall, tall)
    drawn = io.BytesIO()
    with rc_context({"svg.hashsalt": "touchstone", "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def _boxes(found: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return {box: its files}, so few that the picture can be read."""
    boxes: dict[str, list[str]] = {}
    for rule in (lambda file: file, seedless, lambda file: f"{found[file]['step']}: {_kind(file)}"):
        boxes = defaultdict(list)
        for file in found:
            boxes[rule(file)].append(file)
        if len(boxes) <= MOST:
            break
    return dict(boxes)


def _kind(file: str) -> str:
    parts = file.split("/")
    return "/".join(parts[: 3 + ("shards" in parts[2:3])] if parts[0] == "data" else parts[:2])


def _label(name: str, files: list[str], found: dict[str, dict[str, Any]]) -> str:
    steps = " ".join(sorted({found[file]["step"] for file in files}))
    detail = found[files[0]]["artefact"][:19] if len(files) == 1 else f"{len(files)} files"
    short = name.removesuffix(".safetensors").split("/", 2)[-1] if name.startswith("data/") else name
    return f"{short if len(short) < 44 else '…' + short[-43:]}\n{steps} · {detail}"


def _columns(names: list[str], edges: set[tuple[str, str]]) -> list[list[str]]:
    """Return the boxes by how many steps lie behind them at most."""
    behind = defaultdict(set)
    for start, end in edges:
        behind[end].add(start)
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 0  # groups of files can depend on each other; the first one met comes first
            depth[name] = 1 + max((depth_of(start) for start in sorted(behind[name])), default=-1)
        return depth[name]

    columns = defaultdict(list)
    for name in names:
        columns[depth_of(name)].append(name)
    return [columns[number] for number in sorted(columns)]
