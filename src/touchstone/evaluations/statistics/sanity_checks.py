"""The checks that an attack must pass before its numbers are believed, and the numbers that a failed check affects.

A check is a number that must not exceed its bound, or must reach it. See Carlini et al. 2019, and
docs/papers/shared.md, "Checks of an attack".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from touchstone.evaluations.statistics.wording import more_digits, plain, written
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow

EVALUATION = "checks"  # the component that only checks attacks
# The numbers that a failed check of their attack affects.
ROBUST = (
    "robust_accuracy", "attacked_accuracy", "success_rate", "error_minus", "evasion_rate", "accuracy", "wrong_rate",
    "auroc_", "unclipped_error", "unclipped_confidence", "worst_error", "share_wrong",
)  # fmt: skip
MINUS, OUTPUTS, SCORES = "_minus_", "outputs", "scores"
PASSED = "_passed"  # after a check's name: the row that says 1 or 0


def only_checks(use: str) -> bool:
    """Return whether an evaluation's component only checks attacks; `use` may name its folder, too."""
    return use.rpartition("/")[2] == EVALUATION


class Check(NamedTuple):
    """What is measured, in words, and the bound of its value.

    Attributes:
        least: the value must reach the bound; else it must not exceed it.
        difference: the value is a difference of two accuracies; else a share.
    """

    words: str
    bound: float
    least: bool = False
    difference: bool = True  # of two accuracies; else a share

    def passed(self, value: float, allowed: float = 0.0) -> bool:
        """Return whether a value passes; a violation by rounding only does, or by what is allowed for noise."""
        allowed += 1e-9
        return value >= self.bound - allowed if self.least else value <= self.bound + allowed

    @property
    def unit(self) -> str:
        """The unit of the value, as in a metric row."""
        return "difference of fractions" if self.difference else "fraction"

    def in_words(self, value: float) -> str:
        """Return a value in words, never rounded onto the bound: "left at a large eps 0.503 %"."""
        more = more_digits([value], [self.bound], self.unit)
        return f"{self.words} {plain(written(value, self.unit, more))}"

    @property
    def asked(self) -> str:
        """The bound in words: "≤ 0.5 points"."""
        return f"{'≥' if self.least else '≤'} {100 * self.bound:g} {'points' if self.difference else '%'}"


CHECKS = {
    "change_at_eps_0": Check("what is left at eps 0 differs from the clean value by", 0.0),
    "rise_with_eps": Check("more is left at a larger eps, by", 0.005),
    "rise_with_steps": Check("more is left after more steps, by", 0.005),
    "rise_with_restarts": Check("more is left after more restarts, by", 0.005),
    "change_with_doubled_steps": Check("twice the steps change what is left by", 0.01),
    "left_at_large_eps": Check("left at a large eps", 0.005, difference=False),
    "worse_than_single_step": Check("leaves more than one step does, by", 0.005),
    "worse_than_transfer": Check("leaves more than an attack on another network does, by", 0.005),
    "worse_than_oblivious": Check("leaves more than an attack that ignores the defence does, by", 0.005),
    "evades_less_than_oblivious": Check("gets past less often than an attack that ignores the defence does, by", 0.005),
    "worse_than_another_attack": Check("leaves more than another attack on both does, by", 0.005),
    "worse_than_noise": Check("leaves more than random noise does, by", 0.005),
    "worse_than_black_box": Check("leaves more than a black-box attack does, by", 0.005),
    "loss_rises": Check("share of inputs whose loss rises", 0.95, least=True, difference=False),
    "planted_success_rate": Check(
        "share of planted problems that the attack solves", 0.95, least=True, difference=False
    ),
    "random_success_rate": Check("share of planted problems that random search solves", 0.5, difference=False),
}


class Doubts:
    """Which numbers belong to an attack on a classifier that failed a check."""

    def __init__(self, rows: Iterable[MetricRow]) -> None:
        self.evaluation = ""  # that made the checks
        self._failed: dict[tuple[str, Threat], list[str]] = {}
        values: dict[tuple[str, str, str, int | None], MetricRow] = {}
        self._attacks: dict[tuple[str, str], Threat] = {}  # (classifier, attacked set) -> how
        self._checked: dict[tuple[str, str], list[str]] = {}  # (kind of entry, attack) -> what failed, of all checked
        for row in rows:
            self._attacks.setdefault((row.entry, row.examples), _attack(row))
            check = row.metric.removesuffix(PASSED)
            if check not in CHECKS:
                continue
            place = (check, row.entry, row.examples, row.seed)
            if not row.metric.endswith(PASSED):
                values[place] = row
                continue
            checked = self._checked.setdefault((_kind(row.entry), row.examples.rpartition("/")[2]), [])
            if row.value == 0:
                failures = self._failed.setdefault((row.entry, _attack(row)), [])
                words = _in_words(CHECKS[check], values.get(place))
                failures += [words] if words not in failures else []
                checked.append(words)
                self.evaluation = row.evaluation

    def about(self, row: MetricRow) -> str:
        """Return the failed checks of the attack behind a robust number; "" if there are none, or for other numbers.

        A union of attacks is at least as strong as each of them, so it is doubted only if every one failed a check. A
        difference is doubted if the attack on either side failed one. Of a union of attacks on several scores those on
        the score itself count, as far as they were checked: not all of them are.
        """
        if not row.metric.startswith(ROBUST):
            return ""
        if scores := self._on_scores(row):
            return "; ".join(dict.fromkeys(words for each in scores if all(each) for one in each for words in one))
        parts = (self._attacks.get((row.entry, f"{row.dataset}/{name}")) for name in row.threat.worst_of)
        attacks = list(parts) or [_attack(row)]
        failures = [self._failed.get((row.entry, attack), []) if attack else [] for attack in attacks]
        if not all(failures):
            failures = []
        if MINUS in row.metric and not row.threat.worst_of:
            failures += [self._failed.get((entry, attack), []) for entry, attack in self._behind(row)]
        return "; ".join(dict.fromkeys(words for each in failures for words in each))

    def _on_scores(self, row: MetricRow) -> list[list[list[str]]]:
        """Return, for each score behind a union, what each checked attack on it failed; nothing for other numbers."""
        found: dict[str, dict[str, list[str]]] = {}
        for file in row.files if row.threat.worst_of else ():
            kind, *about = file.split("/")
            if kind == SCORES and len(about) == 5:
                reader, detector, _, victim, attack = about
                score = _kind(f"{reader.rpartition('.')[0]}+{detector}")
                own = victim.partition("+")[2].partition("@")[0] == detector
                if own and (failures := self._checked.get((score, attack))) is not None:
                    found.setdefault(score, {})[attack] = failures
        return [list(attacks.values()) for attacks in found.values()]

    def _behind(self, row: MetricRow) -> Iterator[tuple[str, Threat]]:
        """Yield the classifiers whose outputs on attacked images are behind a number, each with the attack on it."""
        for file in row.files:
            kind, reader, *about = file.split("/")
            if kind == OUTPUTS and len(about) == 3:
                entry, victim = reader.rpartition(".")[0], about[1].rpartition(".")[0]
                examples = "/".join([about[0], *([victim] if victim != entry else []), about[2]])
                if attack := self._attacks.get((entry, examples)):
                    yield entry, attack

    def shown(self, rows: Iterable[MetricRow]) -> list[str]:
        """Return one text per attack on a classifier among the rows: which checks it failed."""
        failures = {f"{row.entry} under {_attack(row)}": words for row in rows if (words := self.about(row))}
        return [f"{attack}: {words}" for attack, words in failures.items()]


def _in_words(check: Check, row: MetricRow | None) -> str:
    """Return the value of a failed check and its bound: "... does, by +1.5 points (asked ≤ 0.5 points, n = 200)"."""
    if row is None:
        return f"{check.words} more than asked ({check.asked})"
    return f"{check.in_words(row.value)} (asked {check.asked}, n = {row.n})"


def _kind(entry: str) -> str:
    """Return an entry without the numbers that tell networks and detectors of one kind apart, see `union_detection`."""
    return re.sub(r"_\d+(?=\+|$)", "", entry)


def _attack(row: MetricRow) -> Threat:
    """Return who was attacked how, whatever the seed and the budget: "white-box linf (pgd)"."""
    return row.threat.family.seedless
