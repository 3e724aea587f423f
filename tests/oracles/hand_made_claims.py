"""Claims and metric rows made by hand, and the verdicts on them: S9-1, S9-2, ... scale down the figure P9-1."""

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
    """Return P9-1 and one criterion per block, each with usual rows and roles."""
    made = {
        name.replace("_", "-"): {"setting": "s", "criterion": "c", "roles": ROLES, "rows": ROWS} | block
        for name, block in blocks.items()
    }
    figure = {"setting": "s", "figure": "99%", "source": "s.1", "marks": ["P"]}
    content = {"name": "Paper", "published": {"P9-1": figure}, "criteria": made}
    return paper_files.book({"made": yaml.safe_load(yaml.safe_dump(content, sort_keys=False))})


def verdicts(rows, claims=None, data="other", itself=(), **blocks):
    """Return the verdicts by claim.

    Args:
        itself: the criteria that measure P9-1 on its own data and network.
        rows: of the evaluation `main`, a robustness.
        claims: who plays the roles of each; by default the network cnn and the set test.
    """
    made = book(**blocks)
    chosen = dict.fromkeys(made.criteria, ASKED) if claims is None else claims
    asked = StudyClaims(data, {"main": "robustness"}, chosen, at_paper_scale={name: ["P9-1"] for name in itself})
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
