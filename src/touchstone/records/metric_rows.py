"""One measured number and all that is said about it, and how a CSV stores it between steps.

Inside the program a row travels as a value; text is made in `cells_of` and read back in `row_of` only:

    for row in decode(data, Metrics).rows:
        row.value, row.low, row.high      # floats; the ends of the interval may be None
        row.classifier, row.detector      # "cnn" and "knn" of the entry "cnn+knn"
        row.measured, row.is_mean         # the metric without "_mean"; whether the row is a mean over seeds
        row.threat.knowledge, row.threat.eps, row.threat.is_white_box   # see Threat
        str(row.threat)                   # "white-box linf eps=0.1 steps=40 (pgd)", as the CSV and the page show it
    replace(row, line=12)                 # dataclasses.replace: rows never change
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

NONE, OBLIVIOUS = "none", "oblivious"
WHITE_BOX, ADAPTIVE = "white-box", "white-box adaptive"
TRANSFER, MADE = "transfer", "made"
NO_ATTACKER = "no attacker at all"  # of certified lower bounds
LINKS = {ADAPTIVE: " to ", TRANSFER: " from ", MADE: " on "}  # between the knowledge and what it is `of`
WORST_OF = "the worst of "
_TEXT = re.compile(r"(?P<knows>.+?) (?P<norm>linf|l2|l1)(?P<budget>(?: [a-z_]+=\S+)*)(?: \((?P<use>[a-z0-9_]+)\))?")
_SEED = re.compile(r"\b([a-z][a-z0-9_]*)\.\d+")

METRIC_COLUMNS = (
    "evaluation", "entry", "examples", "metric", "value", "unit", "low", "high", "n", "base_rate", "seed", "threat",
    "files",
)  # fmt: skip


def seedless(text: str) -> str:
    """Return a name, path or threat without the seeds of its networks: "transfer from mlp.0" -> "transfer from mlp"."""
    return _SEED.sub(r"\1", text)


@dataclass(frozen=True)
class Threat:
    """What the attacker behind a number knew and was allowed.

    Attributes:
        knowledge: NONE, WHITE_BOX, ADAPTIVE, OBLIVIOUS, TRANSFER, MADE or NO_ATTACKER.
        of: the defence that an adaptive attack knows ("energy@0.05"), or the network that the images were made on
            ("mlp.0").
        worst_of: the attacks of which each input meets the worst one; empty for a single attack.
        how: how the perturbation was searched, in words: "least change found".
        norm: linf, l2 or l1; empty without an attack, or where attacks of several norms are combined.
        budget: the settings that state the budget and the effort, in the order of `statistics.threats.STATED`, numbers
            to six digits: (("eps", 0.1), ("steps", 40.0)).
        use: the component that attacked, without its folder: "pgd".
    """

    knowledge: str = NONE
    of: str = ""
    worst_of: tuple[str, ...] = ()
    how: str = ""
    norm: str = ""
    budget: tuple[tuple[str, float | str], ...] = ()
    use: str = ""

    def __str__(self) -> str:
        budget = (f"{name}={_short(value)}" for name, value in self.budget)
        details = " ".join(filter(None, (self.norm, *budget, f"({self.use})" if self.use else "")))
        comma = "," if details and self._manner else ""
        return f"{self.knows}{comma} {details}".rstrip()

    @property
    def _manner(self) -> str:
        return WORST_OF + ", ".join(self.worst_of) if self.worst_of else self.how

    @property
    def knows(self) -> str:
        """What the attacker knew, in words: "white-box adaptive to energy@0.05", "white-box, the worst of fgsm, pgd"."""
        words = f"{self.knowledge}{LINKS[self.knowledge]}{self.of}" if self.of else self.knowledge
        return ", ".join(filter(None, (words, self._manner)))

    @property
    def kind(self) -> str:
        """The same words without what it is `of`: "white-box adaptive", "transfer"."""
        return replace(self, of="").knows

    @property
    def is_white_box(self) -> bool:
        """Whether the attacker knew all of the network, or of the network and its defence."""
        return self.knowledge in (WHITE_BOX, ADAPTIVE)

    @property
    def eps(self) -> float | None:
        """The budget in pixels; None if there is none."""
        eps = dict(self.budget).get("eps")
        return eps if isinstance(eps, float) else None

    @property
    def family(self) -> Threat:
        """The same attack whatever its budget and effort."""
        return replace(self, budget=())

    @property
    def seedless(self) -> Threat:
        """The same attack whatever the seed of the network that it was made on."""
        return replace(self, of=seedless(self.of))


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def stated(value: float | str) -> float | str:
    """Return a setting as a threat states it: numbers to six digits, so that a threat read back equals the one written."""
    return value if isinstance(value, str) else float(f"{value:g}")


@cache
def parse_threat(text: str) -> Threat:
    """Return the threat that `text` was written from; any other text becomes its `knowledge`, word for word."""
    match = _TEXT.fullmatch(text)
    knows = match["knows"].removesuffix(",") if match else text
    words, _, manner = knows.partition(", ")
    knowledge, of = next(
        ((kind, words.removeprefix(kind + link)) for kind, link in LINKS.items() if words.startswith(kind + link)),
        (words, ""),
    )
    threat = Threat(
        knowledge,
        of,
        worst_of=tuple(manner.removeprefix(WORST_OF).split(", ")) if manner.startswith(WORST_OF) else (),
        how="" if manner.startswith(WORST_OF) else manner,
        norm=match["norm"] if match else "",
        budget=tuple(_parsed(pair) for pair in match["budget"].split()) if match else (),
        use=(match["use"] or "") if match else "",
    )
    return threat if str(threat) == text else Threat(text)


def _parsed(pair: str) -> tuple[str, float | str]:
    name, _, text = pair.partition("=")
    try:
        value = float(text)
    except ValueError:
        return name, text
    return name, value if _short(value) == text else text


@dataclass(frozen=True)
class MetricRow:
    """One measured number, its 95 % interval, and what it is about; the fields are the columns of the CSV, in order.

    Attributes:
        evaluation: the study's name for it; the step `evaluate` fills it in.
        entry: classifier ("cnn"), classifier and detector ("cnn+knn"), or defence.
        examples: the set, and what was done to it: "digits_test/pgd/unet".
        metric: what was measured; "<metric>_mean" is a mean over seeds.
        value, low, high: the number and its interval; of a mean the least and the greatest seed.
        unit: "fraction", "difference of fractions", "pixels", ...; empty for a plain number such as an AUROC.
        n: how many inputs it was measured on.
        base_rate: the share of the positive class.
        seed: of the network; None for a mean over seeds, or if there is no network.
        threat: what the attacker knew and was allowed.
        files: the artefacts that the number was computed from.
        line, of: added by the report, in no table: the line of metrics.csv.gz, and the lines that a claim's number
            was computed from.
    """

    evaluation: str
    entry: str
    examples: str
    metric: str
    value: float
    unit: str
    low: float | None
    high: float | None
    n: int
    base_rate: float | None
    seed: int | None
    threat: Threat
    files: tuple[str, ...]
    line: int = 0
    of: tuple[int, ...] = ()

    @property
    def classifier(self) -> str:
        """The entry without its detector."""
        return self.entry.partition("+")[0]

    @property
    def detector(self) -> str:
        """The entry's detector; empty if there is none."""
        return self.entry.partition("+")[2]

    @property
    def dataset(self) -> str:
        """The example set, whatever was done to it."""
        return self.examples.partition("/")[0]

    @property
    def measured(self) -> str:
        """The metric, of a mean over seeds the metric that it is a mean of."""
        return self.metric.removesuffix("_mean")

    @property
    def is_mean(self) -> bool:
        """Whether the row is a mean over seeds."""
        return self.seed is None and self.measured != self.metric


def cells_of(row: MetricRow) -> list[str]:
    """Return the row as the cells of a CSV: floats to their last digit, None as nothing."""
    return [_cell(getattr(row, column)) for column in METRIC_COLUMNS]


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def row_of(cells: Sequence[str]) -> MetricRow:
    """Return the row whose cells `cells_of` wrote; ValueError if a number is missing or is none."""
    texts = dict(zip(METRIC_COLUMNS, cells, strict=True))
    numbers = {name: _number(texts[name]) for name in ("low", "high", "base_rate")}
    seed = int(texts["seed"]) if texts["seed"] else None
    threat, files = parse_threat(texts["threat"]), tuple(texts["files"].split())
    values: dict[str, Any] = {"value": float(texts["value"]), "n": int(texts["n"]), "seed": seed}
    return MetricRow(**{**texts, **numbers, **values, "threat": threat, "files": files})


def _number(text: str) -> float | None:
    return float(text) if text else None
