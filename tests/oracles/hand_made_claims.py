"""Claims and metric rows made by hand, and the verdicts on them: S9-1, S9-2, ... are about the figure P9-1."""

from __future__ import annotations

from dataclasses import replace

import yaml

from touchstone.claims import paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.records.metric_rows import parse_threat
from touchstone.records.metric_tables import MetricRow

ROWS = {"evaluation": "robustness", "metric": "clean_accuracy", "entry": "{net}", "examples": "{examples}"}
ROLES = {"net": "classifiers", "examples": "examples"}
ASKED = {"net": "cnn", "examples": "test"}
ORIGIN = {"from": "ours", "source": "enough for a test"}
COMPARED = {"at_least", "at_most", "above", "below", "between", "equals"}
SETS = {"S9-1": {"net": "cnn", "examples": ["a", "b"]}}  # who plays the roles of a claim about a mean over two sets


def row(value, low=None, high=None, **more):
    """Return the row of one network, seed 0, whose interval is .02 to either side unless it is given."""
    ends = {"low": value - 0.02 if low is None else low, "high": value + 0.02 if high is None else high}
    place = {"evaluation": "main", "entry": "cnn", "examples": "test", "metric": "clean_accuracy", "seed": 0, "n": 500}
    rest = {"unit": "fraction", "base_rate": None, "files": ("a",), "line": 2}
    threat = parse_threat(more.pop("threat", "none"))
    return MetricRow(**{**place, **rest, "threat": threat, "value": value, **ends, **more})


def mean(value, low=None, high=None, *, seeds=(0, 1, 2), **more):
    """Return the row of the mean over networks."""
    one = row(value, low, high, **more)
    return replace(one, metric=f"{one.metric}_mean", seed=None, seeds=tuple(seeds))


def networks(value, low=None, high=None, *, seeds=(0, 1, 2), **more):
    """Return the rows of several networks with the same value, and that of their mean, all with the same interval."""
    each = [row(value, low, high, seed=seed, **more) for seed in seeds]
    return [*each, mean(value, low, high, seeds=seeds, **more)] if len(each) > 1 else each


def book(**blocks):
    """Return P9-1 and one criterion per block, each with usual rows and roles; those without a bound are numbers."""
    made = {name.replace("_", "-"): usual(block) | block for name, block in blocks.items()}
    figure = {"setting": "s", "figure": "99%", "source": "s.1", "marks": ["P"]}
    content = {"name": "Paper", "published": {"P9-1": figure}, "criteria": made}
    return paper_files.book({"made": yaml.safe_load(yaml.safe_dump(content, sort_keys=False))})


def usual(block):
    """Return what a criterion has that does not say otherwise."""
    bounded = any(COMPARED & {*test} for test in (*block.get("tests", ()), block.get("rows", {})))
    kind = {"bound": ORIGIN} if bounded else {"kind": "number"}
    return {"setting": "s", "criterion": "c", "roles": ROLES, "rows": ROWS} | kind


def verdicts(rows, claims=None, **blocks):
    """Return the verdicts by claim.

    Args:
        rows: of the evaluation `main`, a robustness.
        claims: who plays the roles of each; by default the network cnn and the set test.
    """
    made = book(**blocks)
    chosen = dict.fromkeys(made.criteria, ASKED) if claims is None else claims
    asked = StudyClaims({"main": "robustness"}, chosen)
    return {verdict.claim.id: verdict for verdict in judge(made, asked, rows)}


def one(rows, block, **more):
    """Return the verdict on a single claim."""
    return verdicts(rows, S9_1=block, **more)["S9-1"]


def asks(name="accuracy", **more):
    """Return a criterion with one test."""
    return {"tests": [{"name": name, **more}]}


def role(**kinds):
    """Return the usual roles with others in their place: role(net="each classifiers")."""
    return {"roles": ROLES | kinds}
