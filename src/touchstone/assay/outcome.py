"""What an assay has found, in a few numbers: for the terminal, for a program that reads JSON, and for a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.api.evaluation_result import as_plain, shortfall
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.sanity_checks import CHECKS, PASSED
from touchstone.evaluations.statistics.wording import NARROW, bracketed, more_digits, written
from touchstone.provenance import whole_files
from touchstone.records.metric_tables import MetricRow
from touchstone.report.accuracies import ATTACKED, budget_of, least_left

ROBUST = "robust_accuracy"  # the number that --fail-under compares
ROBUST_AGAINST = "robust_accuracy_against"  # that of the second of two models
CLEAN, CLEAN_AGAINST = "clean_accuracy", "clean_accuracy_against"
JUDGED = "The value is judged, not its interval."
EVASION = "evasion_rate_at_0.05"


class Measured(NamedTuple):
    """One number of an outcome.

    Attributes:
        words: what was measured.
        rate: a share with its interval, or a difference of shares.
        unit: "fraction" or "difference of fractions".
    """

    words: str
    rate: Interval
    unit: str = "fraction"

    def shown(self) -> tuple[str, str]:
        """Return the value and its interval as people read them."""
        ends = [end for end in self.rate[:3] if end is not None]
        more = more_digits(ends, [0.0], self.unit) if self.unit != "fraction" else 0
        value, low, high = self.rate[:3]
        return written(value, self.unit, more).replace(NARROW, " "), bracketed(low, high, self.unit, more)


@dataclass(frozen=True)
class Outcome:
    """The numbers of one assay.

    Attributes:
        about: what was assayed, by name: model, data, eps, images, classes and others.
        numbers: what was measured, by name; one of them is ROBUST.
        failed_checks: signs that the attacks on the model were too weak; of two models, on the first.
        notes: sentences that belong beside the numbers.
        failed_checks_against: such signs of the attacks on the second of two models.
        bound: the robust accuracy that is asked with --fail-under; None: none.
    """

    about: dict[str, Any]
    numbers: dict[str, Measured]
    failed_checks: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    failed_checks_against: tuple[str, ...] = ()
    bound: float | None = None

    @property
    def can_be_trusted(self) -> bool:
        """Whether no check says that the robust accuracy, of two models the first's, is too high; one of 0 cannot be."""
        return not self.failed_checks or self.numbers[ROBUST].rate.value == 0

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for `json.dumps`."""
        numbers = {name: as_plain(number.rate) | {"what": number.words} for name, number in self.numbers.items()}
        checks: dict[str, Any] = {"failed_checks": list(self.failed_checks), "can_be_trusted": self.can_be_trusted}
        if "against" in self.about:
            checks["failed_checks_against"] = list(self.failed_checks_against)
        if self.bound is not None:
            checks["fail_under"] = {
                "bound": self.bound,
                "met": not self.shortfall,
                "judged": "the value, not its interval",
            }
        return self.about | numbers | checks | {"notes": self._notes()}

    def as_markdown(self) -> str:
        """Return a table of the numbers, for a pull request or a model card."""
        title = f"**Robustness of `{self.about['model']}`**, L-inf eps {self.about['eps']}"
        lines = [f"{title}, {self.about['images']} attacked images of `{self.about['data']}`", ""]
        lines += ["| measured | value | 95 % interval |", "| --- | --: | --: |"]
        for number in self.numbers.values():
            value, interval = number.shown()
            lines.append(f"| {number.words.replace('|', '/')} | {value} | {interval} |")
        closing = "A robust accuracy is an upper bound: a better attack can only lower it. Measured by touchstone."
        remarks = [f"- {remark}" for remark in (*self._judgement(), *self._doubts(), *self._notes())]
        return "\n".join([*lines, "", *remarks, "", closing]) + "\n"

    def lines(self) -> list[str]:
        """Return a line per number, and what the checks say, for the terminal."""
        shown = [f"{number.words}: {' '.join(number.shown())}" for number in self.numbers.values()]
        return [*shown, *self._doubts(), *self._notes()]

    def _names(self) -> list[str]:
        """Return the name of each model, after a word and a space; "" for a single one."""
        return [f" of {self.about[name]}" for name in ("model", "against")] if "against" in self.about else [""]

    def _doubts(self) -> list[str]:
        """Return a sentence for each robust accuracy above 0 whose attacks failed checks."""
        sides = zip(
            self._names(), (ROBUST, ROBUST_AGAINST), (self.failed_checks, self.failed_checks_against), strict=False
        )
        return [
            f"Do not trust the robust accuracy{of} above 0, because checks of the attacks failed: {'; '.join(checks)}."
            for of, number, checks in sides
            if checks and self.numbers[number].rate.value > 0
        ]

    def _notes(self) -> list[str]:
        """Return the notes, after a sentence for each model that guessing may equal."""
        if "classes" not in self.about:
            return list(self.notes)
        guess = 1 / self.about["classes"]
        guesses = [
            f"The clean accuracy{of} is not above that of guessing, {100 * guess:.1f} %, by its interval: the robust"
            " accuracy says nothing. Is this the model of these classes, with its weights and its normalisation?"
            for of, number in zip(self._names(), (CLEAN, CLEAN_AGAINST), strict=False)
            if number in self.numbers and (self.numbers[number].rate.low or 0) <= guess
        ]
        return [*guesses, *self.notes]

    def _judgement(self) -> list[str]:
        """Return whether the robust accuracy is as high as asked; nothing if none is asked."""
        if self.bound is None:
            return []
        return [f"--fail-under {self.bound:g}: {f'not met, {self.shortfall}' if self.shortfall else 'met'}. {JUDGED}"]

    @property
    def shortfall(self) -> str:
        """Why the robust accuracy is less than asked, or cannot be known; "" if it is enough, or none is asked."""
        if self.bound is None:
            return ""
        return shortfall(self.numbers[ROBUST].rate.value, self.failed_checks, self.bound)

    def write(self, json_file: Path | None, markdown_file: Path | None) -> None:
        """Write the files that were asked for."""
        if json_file is not None:
            whole_files.write_whole(json_file, (json.dumps(self.as_dict(), indent=2) + "\n").encode())
        if markdown_file is not None:
            whole_files.write_whole(markdown_file, self.as_markdown().encode())


def of_rows(rows: Iterable[MetricRow], eps: float, about: dict[str, Any], notes: tuple[str, ...]) -> Outcome:
    """Return the outcome of a study that `touchstone assay` wrote.

    Args:
        rows: of the whole study.
        eps: the budget of its attacks (L-inf).
        about: what was assayed; the number of attacked images is added.
        notes: sentences that belong beside the numbers.
    """
    rows = list(rows)
    white = [
        row for row in rows if row.evaluation == "robustness" and row.metric in ATTACKED and row.threat.is_white_box
    ]
    clean, robust = next(
        (row, found)
        for row in rows
        if row.evaluation == "robustness" and row.metric == "clean_accuracy"
        for (norm, radius), found in least_left(row, white, budget_of).items()
        if norm == "linf" and abs(radius - eps) < 1e-6
    )
    numbers = {
        "clean_accuracy": Measured("accuracy on clean images", _rate(clean)),
        ROBUST: Measured("accuracy under the worst attack", _rate(robust)),
    }
    evading = [row for row in rows if row.metric == EVASION and row.threat.is_white_box]
    past: dict[str, MetricRow] = {}  # of each detector, what the most successful attacker gets past it
    for row in evading:
        past[row.entry] = max(past.get(row.entry, row), row, key=lambda row: row.value)
    if past:
        best = min(past.values(), key=lambda row: row.value)
        words = f"wrong and not flagged by {best.detector} (5 % false alarms), if the attacker knows it"
        numbers["evasion_rate"] = Measured(words, _rate(best))
    failed = [row for row in rows if row.metric.endswith(PASSED) and row.value == 0]
    of_evasion = {row.evaluation for row in rows if row.metric == EVASION}
    checks, beside = (
        _in_words(row for row in failed if (row.evaluation in of_evasion) == evasion) for evasion in (False, True)
    )
    if beside:
        notes += (f"The evasion rate may be too low, because checks of its attacks failed: {'; '.join(beside)}.",)
    return Outcome(about | {"images": robust.n}, numbers, checks, notes)


def _in_words(failed: Iterable[MetricRow]) -> tuple[str, ...]:
    """Return each check that failed once, in words."""
    names = dict.fromkeys(row.metric.removesuffix(PASSED) for row in failed)
    return tuple(CHECKS[name].words.removesuffix(" by").removesuffix(",") for name in names if name in CHECKS)


def _rate(row: MetricRow) -> Interval:
    return Interval(row.value, row.low, row.high)
