"""One number of a criterion with its bound, as a claims.yaml writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from touchstone.claims.criteria import COMPARISONS, Bound, Condition, RowQuery
from touchstone.claims.file_checks import ClaimError, Place, check_block, number, size, text, truth

COLUMNS = ("evaluation", "metric", "entry", "examples", "threat")
# The numbers that a threat model states, as in evaluations/statistics/threats.py, which imports numpy.
THREAT = ("eps", "steps", "step_size", "restarts", "imitations", "queries", "draws")
# Metrics that are shares, or differences of shares.
SHARE = re.compile(
    r"(?!.*(reconstruction|identity)_).*(accuracy|auroc|aupr|error|fpr|tpr|rate|share|tau|confidence|agreement)"
)
CONDITION = ("name", *COLUMNS, "tolerance", "distance", "optional", "consequence", "stuck", *COMPARISONS)


def read_conditions(place: Place, blocks: list[Any], inherited: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the numbers of a list; each inherits from its criterion."""
    return tuple(read_condition((*place, str(index)), inherited, block) for index, block in enumerate(blocks))


def read_condition(place: Place, inherited: Mapping[str, Any], own: Any) -> Condition:
    """Return one number with its bound; what it does not say itself it inherits from its criterion."""
    check_block(place, own)
    block = {**inherited, **own}
    check_block(place, block, CONDITION, required=("name",))
    comparisons = [name for name in COMPARISONS if name in block]
    if len(comparisons) > 1:
        raise ClaimError(place, f"compares by {' and '.join(comparisons)}; keep one of them")
    comparison = comparisons[0] if comparisons else ""
    if not isinstance(block.get("consequence", ""), str):
        raise ClaimError((*place, "consequence"), "expected text")
    stuck: tuple[Condition, ...] = ()
    if block.get("stuck") is not None:
        check_block((*place, "stuck"), block["stuck"], (*COLUMNS, *COMPARISONS))
        unjudged = {key: value for key, value in block.items() if key not in (*COMPARISONS, "stuck", "optional")}
        stuck = (read_condition((*place, "stuck"), unjudged | {"name": "stuck"}, block["stuck"]),)
    rows = _rows(place, block)
    bound = _bound((*place, comparison), block[comparison], comparison) if comparison else None
    sizes = {name: size((*place, name), block.get(name, 0)) for name in ("tolerance", "distance")}
    if SHARE.match(rows.metric):
        _check_share(place, rows.metric, comparison, bound, sizes)
    return Condition(
        name=text(place, "name", block["name"]),
        rows=rows,
        comparison=comparison,
        bound=bound,
        tolerance=sizes["tolerance"],
        distance=sizes["distance"],
        optional=truth((*place, "optional"), block.get("optional", False)),
        consequence=block.get("consequence", ""),
        stuck=stuck,
    )


def _check_share(place: Place, metric: str, comparison: str, bound: Bound | None, sizes: Mapping[str, float]) -> None:
    """Refuse a bound of a share that is in percent, or that every share meets."""
    ends = () if bound is None else bound if isinstance(bound, tuple) else (bound,)
    for name, value in ((comparison, max(ends, key=abs, default=0)), *sizes.items()):
        if abs(value) > 1:
            raise ClaimError((*place, name), f"{metric} lies between -1 and 1, got {value:g}; write 5 % as 0.05")
    if comparison == "at_most" and bound == 1:
        raise ClaimError((*place, comparison), f"every {metric} is at most 1, so the claim could not fail")


def _rows(place: Place, block: Mapping[str, Any]) -> RowQuery:
    for column in COLUMNS:
        if column not in block and column != "threat":
            raise ClaimError(place, f"{column} is missing; add it here or under the criterion's rows")
    evaluation, metric, entry, examples = (text(place, column, block[column]) for column in COLUMNS[:-1])
    threat = block.get("threat") or {}
    check_block((*place, "threat"), threat, THREAT)
    threat = tuple((key, number((*place, "threat", key), value)) for key, value in threat.items())
    return RowQuery(evaluation, metric, entry, examples, threat)


def _bound(place: Place, value: Any, comparison: str) -> Bound:
    if comparison != "between":
        return number(place, value)
    if not isinstance(value, list) or len(value) != 2:
        raise ClaimError(place, "expected two ends, [lowest, highest]")
    lowest, highest = (number(place, end) for end in value)
    if lowest > highest:
        raise ClaimError(place, f"expected two ends, [lowest, highest], got [{lowest:g}, {highest:g}]; swap them")
    return lowest, highest
