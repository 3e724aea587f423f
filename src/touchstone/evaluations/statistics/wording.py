"""How a measured number is written on the page, in the terminal and in LaTeX: by its unit, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

NARROW = "\u202f"  # narrow no-break space, before a unit
BELOW_ONE = {"": "0.999", "rank correlation": "0.999", "fraction": f"99.9{NARROW}%"}  # of what is nearly perfect
RANGE = "range"  # the method of a mean of numbers that are no estimates
MOST_DIGITS = 9  # more than usual, of a number near its bound; what is nearer is equal but for rounding


def written(value: float, unit: str, more: int = 0) -> str:
    """Return a value in words: shares in percent, differences of shares in points, differences with their sign.

    A value just below 1 is not rounded up to 1: "> 0.999", never 1.000 for 0.99992.

    Args:
        value: in its unit; a share from 0 to 1.
        unit: of its metric row.
        more: digits more than usual.
    """
    text = _rounded(value, unit, more)
    if value < 1 and text in ("1.000", f"100.0{NARROW}%") and unit in BELOW_ONE:
        return f">{NARROW}{BELOW_ONE[unit]}"
    return text


def more_digits(values: Iterable[float], bounds: Iterable[float], unit: str) -> int:
    """Return how many digits more numbers need so that none is rounded onto a bound or past it: 0 for most.

    "94.96 %" beside "≥ 95 %" and not "95.0 %", which would seem to meet it.

    Args:
        values: a number and the ends of its interval, if they are finite.
        bounds: that they are compared with.
        unit: of all of them.
    """
    scale = 100 if "fraction" in unit else 1
    pairs = [(value, bound) for value in values for bound in bounds]
    for more in range(MOST_DIGITS):
        if all(
            _side(scale * value, scale * bound) == _side(shown, scale * bound)
            for value, bound in pairs
            for shown in _shown(value, unit, more)
        ):
            return more
    return MOST_DIGITS


def _side(value: float, bound: float) -> float:
    return 0.0 if math.isclose(value, bound, rel_tol=0, abs_tol=1e-9) else math.copysign(1.0, value - bound)


def _shown(value: float, unit: str, more: int) -> set[float]:
    """Return the numbers that a reader sees, for a value itself and for an end of an interval."""
    texts = (written(value, unit, more), _end(value, unit, more), _lower_end(value, unit, more))
    numbers = (text.removeprefix(f">{NARROW}").split(NARROW)[0] for text in texts)
    return {float({"yes": "1", "no": "0"}.get(number, number)) for number in numbers}


def _rounded(value: float, unit: str, more: int = 0) -> str:
    if unit == "fraction":
        return f"{100 * value:.{1 + more}f}{NARROW}%"
    if unit == "difference of fractions":
        return f"{_signed(100 * value, 1 + more)}{NARROW}points"
    if unit in ("difference", "difference of tau", "difference of pixels"):
        return _signed(value, (4 if unit.endswith("pixels") else 3) + more)
    if unit == "passes":
        return f"{value:.{6 + more}g}"
    if unit == "passed" and value in (0, 1):
        return "yes" if value else "no"
    digits = {"pixels": 4, "passed": 2, "images": 0, "inputs": 0, "classes": 0}.get(unit, 3) + more  # means are between
    return f"{value if round(value, digits) else 0:.{digits}f}"  # no -0.000


def _signed(value: float, digits: int) -> str:
    """Return a difference with its sign; a difference that rounds to 0 has none."""
    return f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"


def bracketed(low: float | None, high: float | None, unit: str, more: int = 0, method: str = "") -> str:
    """Return the ends of an interval, "[51.5, 64.1]"; "?" for an open end, nothing if both are open.

    The least and the greatest network are no interval: "[51.5 to 64.1]".
    """
    if low is None and high is None:
        return ""
    return f"[{_lower_end(low, unit, more)}{' to ' if method == RANGE else ', '}{_end(high, unit, more)}]"


def _lower_end(low: float | None, unit: str, more: int) -> str:
    lower = _end(low, unit, more)
    if low is not None and low < 1 and unit in BELOW_ONE:  # not above a value that is written as "> 0.999"
        return {"1.000": "0.999", "100.0": "99.9"}.get(lower, lower)
    return lower


def _end(value: float | None, unit: str, more: int) -> str:
    return "?" if value is None else _rounded(value, unit, more).split(NARROW)[0]


def of_line(line: Mapping[str, str], column: str) -> str:
    """Return a number of a table's line with its unit and its interval, in ordinary spaces; "" if there is none.

    No rounding hides on which side of the bounds of a claim's criterion it is.
    """
    if not line[column]:
        return ""
    value, unit = float(line[column]), line["unit"]
    low, high = (float(line[end]) if line[end] else None for end in ("low", "high"))
    limits = [float(limit) for limit in line.get("limits", "").split()]
    more = more_digits([end for end in (value, low, high) if end is not None], limits, unit)
    return plain(f"{written(value, unit, more)} {bracketed(low, high, unit, more, line.get('method', ''))}".strip())


def limit(value: float, unit: str) -> str:
    """Return a bound that was fixed beforehand, without added digits: "85 %", not "85.0 %"."""
    if unit == "fraction":
        return f"{100 * value:.12g}{NARROW}%"
    if unit == "difference of fractions":
        return f"{100 * value:{'+' if value else ''}.12g}{NARROW}points"
    return f"{value:{'+' if unit == 'difference' and value else ''}.12g}"


def plain(text: str) -> str:
    """Return a text with ordinary spaces, for a terminal and for tables that are searched."""
    return text.replace(NARROW, " ")
