"""Claims and metric rows made by hand, and the verdicts on them: S9-1, S9-2, ... are about the figure P9-1.

The claims of the shipped papers, too, are judged on rows made by hand: `paper_of("F1").verdict("F1", {0: 0.95})`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import yaml

from touchstone.claims import paper_files
from touchstone.claims.criteria import COMPLEMENT, Book, Condition, assignments
from touchstone.claims.judging import StudyClaims, judge
from touchstone.records.metric_rows import ADAPTIVE, OBLIVIOUS, WHITE_BOX, parse_threat
from touchstone.records.metric_tables import MetricRow
from touchstone.settings.papers import SHIPPED

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


# --- shipped papers -------------------------------------------------------------------------------------------------

DIFFERENCE, POINTS = "difference", "difference of fractions"
UNITS = {  # of a number, by the first of these words in its metric
    "kendall_tau_gain": "difference of tau", "kendall": "rank correlation", "median_margin": "pixels",
    "auroc_minus": DIFFERENCE, "auroc_successes_minus": DIFFERENCE, "_difference": DIFFERENCE, "taken_by": DIFFERENCE,
    "auroc": "", "minus": POINTS, "gain": POINTS, "worse": POINTS, "over_half": POINTS, "above_quarter": POINTS,
}  # fmt: skip


def under(knowledge: str) -> Callable[[Condition], str]:
    """Return the threat of a number: this attacker with the budget that its claim asks for, nobody without one."""

    def threat(condition: Condition) -> str:
        budget = " ".join(f"{key}={value:g}" for key, value in condition.rows.threat)
        return f"{knowledge} linf {budget}" if budget else "none"

    return threat


def _of_translation(condition: Condition) -> str:
    return under(ADAPTIVE if condition.rows.examples.endswith("/worst") else OBLIVIOUS)(condition)


def _of_gradients(condition: Condition) -> str:
    if condition.rows.examples.endswith("/worst"):
        return "white-box adaptive to gradients_on_pgd_10@0.05, the worst of joint, mimicry, linf eps=0.1"
    return OBLIVIOUS if condition.rows.metric.startswith("auroc_successes") else under(WHITE_BOX)(condition)


def _of_margins(condition: Condition) -> str:
    return (
        WHITE_BOX
        if condition.rows.evaluation == "margin_evasion"
        else "white-box, least change of nearest_classes, linf"
    )


@dataclass(frozen=True)
class Shipped:
    """A shipped paper, whose claims are judged on rows made by hand.

    Attributes:
        facts, experiment: its two files.
        book: its claims.
        threat: of a number.
        sets: role -> what plays it, in place of a data role that is several; any other plays itself.
        seeds: of the networks.
    """

    facts: dict[str, Any]
    experiment: dict[str, Any]
    book: Book
    threat: Callable[[Condition], str]
    sets: Mapping[str, list[str]]
    seeds: tuple[int, ...]

    @classmethod
    def read(cls, name, threat, seeds=(0, 1, 2), **sets):
        """Return a paper by the name of its folder."""
        facts, experiment = (
            yaml.safe_load((SHIPPED / name / f"{file}.yaml").read_text()) for file in ("claims", "experiment")
        )
        return cls(facts, experiment, paper_files.book({name: facts}), threat, sets, seeds)

    def cast(self, claim):
        """Return who plays the roles of a claim in the whole experiment."""
        claims, grades = self.experiment["claims"], self.experiment["grades"]
        full = grades.get("full", {}).get("change", {}).get("claims", {})
        written = claims.get("shared", {}) | claims[claim] | full.get(claim, {})
        players = {role: self.sets.get(role, written.get(role)) for role in self.book.criteria[claim].roles}
        return {role: who.lstrip("$") if isinstance(who, str) else who for role, who in players.items()}

    def rows(self, claim, numbers, seeds=None):
        """Return the rows for every number of a claim, .5 if nothing else is said of it.

        Args:
            claim: its id.
            numbers: place of a test -> value, or the two ends of its interval; (place, which) -> that of one of several
                things; "breaks" -> that of what breaks the claim, which has no row otherwise.
            seeds: of the networks, if not those of the paper.
        """
        made = {}
        for (kind, *place), condition in self.book.criteria[claim].conditions.items():
            key = int(place[0]) if kind == "tests" else kind
            for which, texts in enumerate(self._texts(claim, condition) if key in numbers or kind != "breaks" else ()):
                number = numbers.get((key, which), numbers.get(key, 0.5))
                low, high = number if isinstance(number, tuple) else (number - 0.02, number + 0.02)
                if condition.rows.metric.startswith(COMPLEMENT):
                    low, high = 1 - high, 1 - low
                about = {"unit": self._unit(texts["metric"]), "threat": self.threat(condition), **texts}
                several = networks((low + high) / 2, low, high, seeds=seeds or self.seeds, **about)
                made.setdefault((*texts.values(),), several)
        return [one for several in made.values() for one in several]

    def _texts(self, claim, condition) -> Iterator[dict[str, str]]:
        written = {key: getattr(condition.rows, key) for key in ("evaluation", "metric", "entry", "examples")}
        written["metric"] = written["metric"].removeprefix(COMPLEMENT)
        for names in assignments(condition, self.book.criteria[claim], self.cast(claim), "each"):
            yield {key: text.format(**names) for key, text in written.items()}

    @staticmethod
    def _unit(metric):
        return next((unit for word, unit in UNITS.items() if word in metric), "fraction")

    def study(self, *claims, **casts):
        """Return a study that asks some claims; `casts` says who else plays the roles of one."""
        used = {each.rows.evaluation for one in self.book.criteria.values() for each in one.conditions.values()}
        return StudyClaims({name: name for name in used}, {claim: self.cast(claim) for claim in claims} | casts)

    def verdict(self, claim, numbers=None, seeds=None, **others):
        """Return the verdict on a claim; `others` are the numbers of further claims of the study. None: no rows."""
        asked = {claim: numbers, **others}
        made = [one for name, of in asked.items() if of is not None for one in self.rows(name, of, seeds)]
        return next(one for one in judge(self.book, self.study(*asked), made) if one.claim.id == claim)


@cache
def shipped() -> dict[str, Shipped]:
    """Return the shipped papers by the letter of their claims."""
    detectors = [f"gradients_on_{attack}" for attack in ("pgd_10", "fgsm", "bim", "least_likely", "cw")]
    return {
        "G": Shipped.read("gradient_detection", _of_gradients, detectors=detectors, sets=["faces"]),
        "A": Shipped.read("aloe", under(ADAPTIVE), far=["digits", "faces"]),
        "M": Shipped.read("margin_consistency", _of_margins, (0, 1, 2, 3, 4)),
        "F": Shipped.read("fgsm", under(WHITE_BOX)),
        "T": Shipped.read("translation", _of_translation),
    }


def paper_of(claim: str) -> Shipped:
    """Return the shipped paper of a claim."""
    return shipped()[claim[0]]
