"""How a measured number reads, on the page, in the terminal and in LaTeX: by its unit, with its interval."""

from __future__ import annotations

NARROW = "\u202f"  # narrow no-break space, before a unit


def written(value: float, unit: str) -> str:
    """Return a value as people read it: shares in percent, differences of them in points."""
    if unit == "fraction":
        return f"{100 * value:.1f}{NARROW}%"
    if unit == "difference of fractions":
        return f"{100 * value:+.1f}{NARROW}points"
    if unit == "pixels":
        return f"{value:.4f}"
    if unit == "passes":
        return f"{value:g}"
    if unit == "passed":
        return "yes" if value == 1 else "no" if value == 0 else f"{value:.2f}"  # a mean over seeds may lie between
    return f"{value:.0f}" if unit in ("images", "inputs", "classes") else f"{value:.3f}"


def bracketed(low: float | None, high: float | None, unit: str) -> str:
    """Return the ends of an interval, "[51.5, 64.1]", an open one as "?"; nothing where both are."""
    return "" if low is None and high is None else f"[{_end(low, unit)}, {_end(high, unit)}]"


def _end(value: float | None, unit: str) -> str:
    return "?" if value is None else written(value, unit).split(NARROW)[0]


def limit(value: float, unit: str) -> str:
    """Return a bound that was fixed beforehand, with no more digits than it has: "≥ 85 %", not "≥ 85.0 %"."""
    if unit == "fraction":
        return f"{100 * value:g}{NARROW}%"
    return f"{100 * value:+g}{NARROW}points" if unit == "difference of fractions" else f"{value:g}"


def plain(text: str) -> str:
    """Return a text with common spaces, for a terminal and for tables that are searched."""
    return text.replace(NARROW, " ")
