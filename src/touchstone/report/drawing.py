"""How figures look and become bytes: equal content gives equal bytes on every machine and in every process."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray
from PIL import Image

INK = "#1b1f24"  # text and axes; the page replaces it by the colour of its own text
PAPER = "#ffffff"
BACKDROP = "#fefefe"  # of legends, over curves; on the page the colour below the figures
FAINT = "#8a8f98"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has it
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
    "legend.fontsize": 9,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "figure.constrained_layout.use": True,
    "path.simplify_threshold": 0.3,  # in pixels of 1/72 inch: invisible detail is not written
    "svg.fonttype": "none",  # text as text can be searched and read aloud, and is a third smaller than outlines
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color"), INK
    ),
}
FALLBACKS = "'DejaVu Sans', Verdana, sans-serif"  # Verdana is as wide, for systems without DejaVu
PIXELS_PER_INCH = 120  # of a PNG: crisp at the width of the page, of which galleries are the largest part
EMBEDDED = 80  # pixels per inch of rasterised parts of an SVG or a PDF
PATH, DECIMALS = re.compile(r'\bd="([^"]*)"'), re.compile(r"(\.\d)\d+")  # a tenth of a point is fine enough
PLACE = re.compile(r'( [xy]=)"(-?[\d.]+)"')
STEP = re.compile(r"([MLQCz])([^MLQCz]*)")  # of a path
NO_CLOCK: Any = {"CreationDate": None, "Creator": None, "Producer": None}
WIDTH = 7.2  # inches of a figure as wide as the page
PHONE = 3.9  # inches of a figure that a phone shows whole, with text of 11 pixels
HEADLINE = "headline"  # the id of what a figure shows, in its SVG
LETTERS = 11.4  # of bold text, in an inch
BELOW, NAMED = 17, 31  # points from the axis of a panel to the legend below its numbers, and below its name


@contextmanager
def style() -> Iterator[None]:
    """Draw the figures of the block in the report's look, whatever the machine's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def panels(count: int, *, columns: int = 3, height: float = 2.4, **shared: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure of panels and its axes.

    Args:
        count: of the panels, filled row by row.
        columns: at most.
        height: of one panel, in inches.
        **shared: passed to Figure.subplots.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width = WIDTH if columns > 1 else PHONE
    figure = Figure(figsize=(width, height * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def headline(figure: Figure, text: str, letters: int | None = None) -> None:
    """Write what the figure shows above it, in bold and by default as wide as the figure is now."""
    text = textwrap.fill(text, letters or int(figure.get_figwidth() * LETTERS))
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold").set_gid(HEADLINE)


def described(figure: Figure, text: str) -> Figure:
    """Return the figure with `text` as its description for readers who cannot see it."""
    figure.set_label(text)
    return figure


def description(figure: Figure) -> str:
    """Return what the figure shows, in words.

    Raises:
        ValueError: its component did not call `described`.
    """
    text = str(figure.get_label())
    if not text:
        raise ValueError("a figure without a description: its component has to call drawing.described")
    return text


def takeaway(figure: Figure) -> str:
    """Return the bold title that says what the figure shows; "" if it has none."""
    titles = (text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_fontweight() == "bold")
    return next((title.get_text().replace("\n", " ") for title in titles), "")


def thinned(across: NDArray[Any], up: NDArray[Any], grid: int = 50) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a curve with fewer points: only the first of consecutive ones in a cell of a grid, and both ends.

    Args:
        across, up: the curve in the unit square, (N,) each.
        grid: cells along each side.
    """
    cells = np.round(np.stack([across, up]) * grid)
    kept = np.r_[True, (np.diff(cells) != 0).any(axis=0)]
    kept[-1] = True
    return across[kept], up[kept]


def roc_axes(axes: Axes, title: str, across: str = "") -> None:
    """Finish a panel of ROC curves: the line of chance, the unit square, and the areas in a legend below it.

    Args:
        axes: of the panel.
        title: above it.
        across: the name of the axis, between its numbers and the legend; none if it is empty.
    """
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8)
    axes.text(0.72, 0.66, "chance", fontsize=9, rotation=45, rotation_mode="anchor", ha="center", va="top")
    axes.set(title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel=across)
    below = offset_copy(axes.transAxes, axes.get_figure(root=True), y=-NAMED if across else -BELOW, units="points")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, handlelength=2, borderaxespad=0)


def is_raster(figure: Figure) -> bool:
    """Return whether the figure shows images, which SVG would blur or bloat."""
    return any(axes.images for axes in figure.axes)


def svg(figure: Figure, name: str) -> bytes:
    """Return the figure as SVG; `name` salts its ids, so that no two figures of a page share one."""
    stream = io.BytesIO()
    with style():  # part of the look is decided while drawing
        matplotlib.rcParams["svg.hashsalt"] = name
        figure.savefig(stream, format="svg", dpi=EMBEDDED, metadata={"Date": None, "Creator": None})
    text = stream.getvalue().decode().replace("'DejaVu Sans'", FALLBACKS)
    return _shortened(text).encode()


def _shortened(text: str) -> str:
    """Return an SVG that looks the same with fewer bytes: no needless spaces, no invisible decimals, relative steps."""
    text = PATH.sub(lambda path: f'd="{_relative(path[1])}"', text)
    text = PLACE.sub(lambda place: f'{place[1]}"{_tenths(round(10 * float(place[2])))}"', text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r'\bstyle="[^"]*"', lambda match: re.sub(r"([:;]) ", r"\1", match[0]), text)
    return re.sub(r"\n\s+", "\n", text)


def _relative(path: str) -> str:
    """Return a path whose lines are steps from the point before, which halves a long curve.

    Points are rounded to a tenth before steps are taken, so that no error adds up.
    """
    steps = STEP.findall(path)
    if any(letter in "QC" for letter, _ in steps):
        return "".join(letter + DECIMALS.sub(r"\1", rest.strip()) for letter, rest in steps)
    parts, before, x, y = list[str](), "", 0, 0
    for letter, rest in steps:
        if letter == "z":
            parts.append("z")
        else:
            left, top = x, y
            x, y = (round(10 * float(number)) for number in rest.split())
            across, down = (_tenths(x), _tenths(y)) if letter == "M" else (_tenths(x - left), _tenths(y - top))
            first = "M" if letter == "M" else "l" if before != "L" else "" if across.startswith("-") else " "
            parts.append(f"{first}{across}{'' if down.startswith('-') else ' '}{down}")
        before = letter
    return "".join(parts)


def _tenths(number: int) -> str:
    """Return a number of tenths as the shortest decimal: -.5, 0, 12, 3.4."""
    whole, tenth = divmod(abs(number), 10)
    return ("-" if number < 0 else "") + (f"{whole or ''}.{tenth}" if tenth else str(whole))


def pdf(figure: Figure) -> bytes:
    """Return the figure as PDF at publication size, with text that can be searched and edited."""
    stream = io.BytesIO()
    with style():
        matplotlib.rcParams["pdf.fonttype"] = 42
        figure.savefig(stream, format="pdf", dpi=EMBEDDED, metadata=NO_CLOCK)
    return stream.getvalue()


def png(figure: Figure) -> bytes:
    """Return the figure as PNG at PIXELS_PER_INCH, in its 256 most frequent colours: a third as large."""
    stream, smaller = io.BytesIO(), io.BytesIO()
    with style():
        figure.savefig(stream, format="png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
    whole = Image.open(stream).convert("RGB")
    whole.quantize(256, dither=Image.Dither.NONE).save(smaller, format="png", optimize=True)
    return smaller.getvalue()
