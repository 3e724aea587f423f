"""How figures look and become bytes: the same for the same content, on every machine and in every process."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

INK = "#1b1f24"  # text and axes; the page replaces it by the colour of its own text
PAPER = "#ffffff"
BACKDROP = "#fefefe"  # of legends, over curves; on the page what figures lie on
FAINT = "#8a8f98"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "legend.facecolor": BACKDROP,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.6,
    "legend.borderpad": 0.2,
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "figure.constrained_layout.use": True,
    "path.simplify_threshold": 0.3,  # pixels of 1/72 inch: what no eye sees is not written
    "svg.fonttype": "none",  # text as text: found by search, read aloud, and a third smaller than outlines
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK
    ),
}
FALLBACKS = "'DejaVu Sans', Verdana, sans-serif"  # the second is as wide as the first, and where that is not it is
PIXELS_PER_INCH = 120  # of the PNG: crisp at the width of the page; galleries are the largest part of it
EMBEDDED = 110  # pixels per inch of what is drawn as pixels inside an SVG or a PDF
PATH, DECIMALS = re.compile(r'\bd="[^"]*"'), re.compile(r"(\.\d)\d+")  # a tenth of a point is fine enough
LETTERS = re.compile(r"\s*\b([MLQCz])\b\s*")  # of a path's steps
NO_CLOCK: Any = {"CreationDate": None, "Creator": None, "Producer": None}
WIDTH = 7.2  # inches of a figure as wide as the page


@contextmanager
def style() -> Iterator[None]:
    """Within it figures look like those of the report, whatever the machine's own matplotlib settings say."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def panels(count: int, *, columns: int = 3, height: float = 2.4, **shared: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels, filled row by row, and its axes; `shared` goes to Figure.subplots."""
    columns = min(columns, count)
    rows = -(-count // columns)
    width = WIDTH if columns > 1 else WIDTH * 0.7
    figure = Figure(figsize=(width, height * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def described(figure: Figure, text: str) -> Figure:
    """Return the figure with `text` as what it shows in words, for those who cannot see it."""
    figure.set_label(text)
    return figure


def description(figure: Figure) -> str:
    """Return what the figure shows in words; ValueError where its component did not say."""
    text = str(figure.get_label())
    if not text:
        raise ValueError("a figure without a description: its component has to call drawing.described")
    return text


def thinned(across: NDArray[Any], up: NDArray[Any], grid: int = 100) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a curve in the unit square less the points in the same cell of a grid as the one before; its ends stay."""
    cells = np.round(np.stack([across, up]) * grid)
    kept = np.r_[True, (np.diff(cells) != 0).any(axis=0)]
    kept[-1] = True
    return across[kept], up[kept]


def roc_axes(axes: Axes, title: str) -> None:
    """Finish a panel of ROC curves: the line of chance, the unit square, areas in a legend below, where no curve is."""
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    axes.set(title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set(xticks=[0, 0.25, 0.5, 0.75, 1], yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.legend(title="AUROC", title_fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3,
                handlelength=1.4, columnspacing=0.9, fontsize=7.5, borderaxespad=0)  # fmt: skip


def is_raster(figure: Figure) -> bool:
    """Return whether the figure shows images, which SVG would blur or bloat."""
    return any(axes.images for axes in figure.axes)


def svg(figure: Figure, name: str) -> bytes:
    """Return the figure as SVG; `name` salts its ids, so that two figures of one page share none."""
    stream = io.BytesIO()
    with style():  # some of the look is decided while drawing
        matplotlib.rcParams["svg.hashsalt"] = name
        figure.savefig(stream, format="svg", dpi=EMBEDDED, metadata={"Date": None, "Creator": None})
    text = stream.getvalue().decode().replace("'DejaVu Sans'", FALLBACKS)
    return _shortened(text).encode()


def _shortened(text: str) -> str:
    """Return an SVG that shows the same in an eighth fewer bytes: no spaces that nothing needs, no finer than seen."""
    text = PATH.sub(lambda path: re.sub(r'\s+"$', '"', LETTERS.sub(r"\1", DECIMALS.sub(r"\1", path[0]))), text)
    text = re.sub(r'( [xy]="-?\d+\.\d\d)\d*"', r'\1"', text)
    text = re.sub(r'\bstyle="[^"]*"', lambda found: re.sub(r"([:;]) ", r"\1", found[0]), text)
    return re.sub(r"\n\s+", "\n", text)


def pdf(figure: Figure) -> bytes:
    """Return the figure as PDF at publication size, its text as text that can be searched and edited."""
    stream = io.BytesIO()
    with style():
        matplotlib.rcParams["pdf.fonttype"] = 42
        figure.savefig(stream, format="pdf", dpi=EMBEDDED, metadata=NO_CLOCK)
    return stream.getvalue()


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, PIXELS_PER_INCH fine, in its 256 most frequent colours: a third as large."""
    stream, smaller = io.BytesIO(), io.BytesIO()
    with style():
        figure.savefig(stream, format="png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
    whole = Image.open(stream).convert("RGB")
    whole.quantize(256, dither=Image.Dither.NONE).save(smaller, format="png", optimize=True)
    return smaller.getvalue()
