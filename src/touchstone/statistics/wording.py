"""How a measured number is written on the page, in the terminal and in LaTeX: by its unit, with its interval."""

from __future__ import annotations

from collections.abc import Mapping

NARROW = "\u202f"  # narrow no-break space, before a unit
RANGE = "range"  # the method of a mean of numbers that are no estimates
# How the ends of an interval were found, by the column `method` of its row.
METHODS = {
    "exact": "exact binomial interval",
    "score": "score interval",
    "difference": "t interval, no narrower than n images allow",
    "difference of signed numbers": "t interval, no narrower than n images allow",
    "t": "t interval",
    "percentile": "bootstrap percentiles",
}


def written(value: float, unit: str) -> str:
    """Return a value in words: shares in percent, differences of shares in points, differences with their sign.

    A value just below 1 is not rounded up to 1: "> 0.999", never 1.000 for 0.99992.
    """
    text = _rounded(value, unit)
    if value < 1 and text in ("1.000", f"100.0{NARROW}%"):
        return f">{NARROW}0.999" if unit == "" else f">{NARROW}99.9{NARROW}%"
    return text


def _rounded(value: float, unit: str) -> str:
    if unit == "fraction":
        return f"{100 * value:.1f}{NARROW}%"
    if unit == "difference of fractions":
        return f"{_signed(100 * value, 1)}{NARROW}points"
    if unit == "difference":
        return _signed(value, 3)
    if unit == "pixels":
        return f"{value:.4f}"
    if unit == "passes":
        return f"{value:g}"
    if unit == "passed":
        return "yes" if value == 1 else "no" if value == 0 else f"{value:.2f}"  # a mean over seeds may lie between
    return f"{value:.0f}" if unit in ("images", "inputs", "classes") else f"{value:.3f}"


def _signed(value: float, digits: int) -> str:
    """Return a difference with its sign; a difference that rounds to 0 has none."""
    return f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"


def bracketed(low: float | None, high: float | None, unit: str) -> str:
    """Return the ends of an interval, "[51.5, 64.1]"; "?" for an open end, nothing if both are open."""
    if low is None and high is None:
        return ""
    lower = _end(low, unit)
    if low is not None and low < 1:  # not above a value that is written as "> 0.999"
        lower = {"1.000": "0.999", "100.0": "99.9"}.get(lower, lower)
    return f"[{lower}, {_end(high, unit)}]"


def _end(value: float | None, unit: str) -> str:
    return "?" if value is None else _rounded(value, unit).split(NARROW)[0]


def of_line(line: Mapping[str, str], column: str) -> str:
    """Return a number of a table's line with its unit and its interval, in ordinary spaces; "" if there is none."""
    if not line[column]:
        return ""
    low, high = (float(line[end]) if line[end] else None for end in ("low", "high"))
    return plain(f"{written(float(line[column]), line['unit'])} {bracketed(low, high, line['unit'])}".strip())


def what_brackets_are(method: str) -> str:
    """Return what the brackets of a number show: "95 % interval in brackets (score interval)".

    Args:
        method: of the number's row; empty if it is not known.
    """
    if method == RANGE:
        return "least and greatest seed in brackets"
    return "95 % interval in brackets" + (f" ({METHODS[method]})" if method in METHODS else "")


def limit(value: float, unit: str) -> str:
    """Return a bound that was fixed beforehand, without added digits: "85 %", not "85.0 %"."""
    if unit == "fraction":
        return f"{100 * value:g}{NARROW}%"
    if unit == "difference of fractions":
        return f"{100 * value:{'+' if value else ''}g}{NARROW}points"
    return f"{value:{'+' if unit == 'difference' and value else ''}g}"


def plain(text: str) -> str:
    """Return a text with ordinary spaces, for a terminal and for tables that are searched."""
    return text.replace(NARROW, " ")
