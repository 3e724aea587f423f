"""The few numbers of each evaluation that answer its question, found by what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from touchstone.report.tables import Line, Number, Numbers, Table
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.sanity_checks import CHECKS, PASSED
from touchstone.statistics.threats import read

KINDS = ("that saw no anomalies", "that was trained on anomalies")  # unsupervised and supervised
ACCURACIES = ("robust_accuracy", "robust_accuracy_union")
Kind = TypeVar("Kind", str, tuple[str, float])


def headlines(numbers: Numbers, supervised: Collection[str] = ()) -> list[Table]:
    """Return the short tables for the first screen; none where no rule knows what was measured.

    supervised: the detectors trained on anomalies, which are never ranked with the others.
    """
    best = [_best_detectors(numbers, supervised, kind) for kind in KINDS]
    rules = (_evasion, _margins, _translation, _routing, _sanity)
    found = (_accuracy(numbers), *best, *(rule(numbers) for rule in rules))
    return [table for table in found if table is not None]


def matrices(numbers: Numbers, supervised: Collection[str] = ()) -> list[Table]:
    """Return the tables that open a chapter: every detector on every set, those trained on anomalies apart; clean, or
    attacked on one side or both.
    """
    found = (_matrix(numbers, supervised, kind) for kind in KINDS)
    return [*(table for table in found if table is not None), *_attacked(numbers)]


UPPER_BOUNDS = "; where OOD images are left without a gradient of the score, attackers were stuck: upper bounds"
SIDES = {"auroc_clean": "clean", "auroc_id": "ID attacked", "auroc_ood": "OOD attacked", "auroc_both": "both attacked"}


def _attacked(numbers: Numbers) -> list[Table]:
    """Each classifier and detector by the side that is attacked, on the mean of the OOD sets; then on each of them."""
    rows = _of(numbers, *SIDES)
    if not rows:
        return []
    clean = {(row["entry"], row["examples"]): row for row in rows if measured(row["metric"]) == "auroc_clean"}
    places = [row["examples"].partition("/") for row in rows]
    sets = dict.fromkeys(name for name, _, attack in places if attack)
    means = [name for name in sets if name == "mean_of_sets"] or list(sets)[:1]
    flat = {(row["entry"], row["examples"]): row for row in _of(numbers, "no_score_gradient")}
    found = {(row["entry"], row["examples"], measured(row["metric"])): row for row in rows}
    things = list(dict.fromkeys((row["entry"], row["examples"].partition("/")[2], row["threat"]) for row in rows))
    things = [thing for thing in things if thing[1]]
    sides, each = [], []
    for entry, attack, threat in things:
        own = [clean.get((entry, means[0])), *(found.get((entry, f"{means[0]}/{attack}", name)) for name in SIDES)]
        words = (entry, attack, read(threat).knows.split(" to ")[0])
        own += [flat.get((entry, f"{means[0]}/{attack}"))] if flat else []
        sides.append(Line(words, tuple(numbers.maybe(row) for row in (own[0], *own[2:]))))
        both = [found.get((entry, f"{name}/{attack}", "auroc_both")) for name in sets]
        each.append(Line(words, tuple(numbers.maybe(row) for row in both)))
    heads = ("classifier + detector", "attack", "attacker")
    mean = "mean of the OOD sets" if means[0] == "mean_of_sets" else means[0]
    return [
        Table(
            f"AUROC by the side that is attacked ({mean}; each set is below)" + (UPPER_BOUNDS if flat else ""),
            heads,
            (*SIDES.values(), *(("OOD images left without a gradient",) if flat else ())),
            tuple(sides),
        ),
        Table("AUROC with both sides attacked, on each OOD set", heads, tuple(sets), tuple(each)),
    ]


def _kind_of(row: Row, supervised: Collection[str]) -> str:
    return KINDS[1] if _detector(row) in supervised else KINDS[0]


def _matrix(numbers: Numbers, supervised: Collection[str], kind: str) -> Table | None:
    rows = [row for row in _of(numbers, "auroc") if _kind_of(row, supervised) == kind]
    if not rows:
        return None
    sets = _sets(rows)
    best = {_contest(row): row["line"] for row in sorted(rows, key=lambda row: row["value"])}
    lines: dict[str, dict[str, Row]] = {}
    for row in rows:
        lines.setdefault(row["entry"], {})[row["examples"]] = row

    def number(row: Row | None) -> Number | None:
        return numbers.maybe(row, best=row is not None and best[_contest(row)] == row["line"])

    caption = f"AUROC of each detector {kind} against each anomalous set; the greatest per classifier and set is marked"
    table = [Line((entry,), tuple(number(line.get(name)) for name in sets)) for entry, line in lines.items()]
    return Table(caption, ("classifier + detector",), tuple(sets.values()), tuple(table))


def _of(numbers: Numbers, *metrics: str) -> list[Row]:
    return [row for row in numbers.overall() if measured(row["metric"]) in metrics]


def _sets(rows: list[Row]) -> dict[str, str]:
    """Return {anomalous set: its heading}: attacked sets say what the attacker knew."""
    knows = {row["examples"]: read(row["threat"]).knows for row in rows}
    return {name: name if known == "none" else f"{name}, {known}" for name, known in knows.items()}


def _classifier(row: Row) -> str:
    return str(row["entry"]).split("+")[0]


def _detector(row: Row) -> str:
    return str(row["entry"]).partition("+")[2]


def _contest(row: Row) -> tuple[str, str]:
    return _classifier(row), row["examples"]


def _accuracy(numbers: Numbers) -> Table | None:
    """Clean accuracy, and the lowest that any white-box attack of each budget leaves; without one, every attack."""
    clean = [row for row in _of(numbers, "clean_accuracy") if "/" not in row["examples"]]
    attacked = _of(numbers, *ACCURACIES)
    if not clean or not attacked:
        return None
    white = [row for row in attacked if row["threat"].startswith("white-box")]
    column = _budget if white else attack_of
    columns = tuple(dict.fromkeys(column(row) for row in sorted(white or attacked, key=budget_of)))
    uses = {name: {read(row["threat"]).use for row in white if column(row) == name} for name in columns}
    most = max(map(len, uses.values()))
    # Where fewer kinds of attack were made, more is left: not because the network is any better there.
    alone = {name: f" ({next(iter(used))} only)" if len(used) == 1 < most else "" for name, used in uses.items()}
    lines = []
    for row in clean:
        worst = least_left(row, white or attacked, column)
        rows = [worst.get(name) for name in columns]
        left = [numbers.maybe(found, label=attack_of(found) if found and white else "") for found in rows]
        lines.append(Line((row["entry"], row["examples"]), (numbers.number(row), *left)))
    best = "Accuracy, clean and under the white-box attack that leaves least"
    caption = best if white else "Accuracy, clean and under attacks that did not know the classifier: diagnostics"
    heads = ("clean", *(name + alone[name] for name in columns))
    return Table(caption, ("classifier", "examples"), heads, tuple(lines))


def least_left(clean: Row, attacked: Iterable[Row], kind: Callable[[Row], Kind]) -> dict[Kind, Row]:
    """Return, per kind of attack, the row of `attacked` that leaves least of what `clean` measures.

    A union of attacks comes before one of them that leaves as much.
    """
    least: dict[Kind, Row] = {}
    for row in sorted(attacked, key=_left):
        if row["entry"] == clean["entry"] and str(row["examples"]).startswith(clean["examples"] + "/"):
            least.setdefault(kind(row), row)
    return least


def _value(row: Row) -> float:
    return float(row["value"])


def _left(row: Row) -> tuple[float, bool]:
    """Order by accuracy left; where a union equals one of its attacks, the union stands for them."""
    return _value(row), measured(row["metric"]) != "robust_accuracy_union"


def budget_of(row: Row) -> tuple[str, float]:
    """Return the norm and the eps of an attack, 0 where it has none."""
    threat = read(row["threat"])
    return threat.norm, threat.eps or 0.0


def _budget(row: Row) -> str:
    norm, eps = budget_of(row)
    return f"{norm} eps {eps:g}"


def attack_of(row: Row) -> str:
    """Return the name of an attack, or of those that a union is made of."""
    if measured(row["metric"]) == "robust_accuracy_union":
        return read(row["threat"]).knows.removeprefix("white-box, ").rstrip(",")
    return str(row["examples"]).split("/", 1)[1]


def _best_detectors(numbers: Numbers, supervised: Collection[str], kind: str) -> Table | None:
    rows = [row for row in _of(numbers, "auroc") if _kind_of(row, supervised) == kind]
    if not rows:
        return None
    sets = _sets(rows)
    best = {_contest(row): row for row in sorted(rows, key=_value)}
    lines = []
    for name in dict.fromkeys(_classifier(row) for row in rows):
        own = [best.get((name, examples)) for examples in sets]
        found = [numbers.maybe(row, label=_detector(row) if row else "") for row in own]
        lines.append(Line((name,), tuple(found)))
    caption = f"Greatest AUROC of any detector {kind}, chosen after the fact and so a little flattering"
    return Table(caption, ("classifier",), tuple(sets.values()), tuple(lines))


def _evasion(numbers: Numbers) -> Table | None:
    """Per detector, the greatest share of inputs that an attacker of each kind gets past it and the classifier."""
    evading = [row for row in numbers.single() if _evades(row) and "+" in row["entry"]]  # not past a router
    rates = dict.fromkeys(row["metric"].partition("_at_")[2] for row in evading)
    if not rates:
        return None
    rate = "0.05" if "0.05" in rates else next(iter(rates))  # papers.md 6.4: SR@5%FPR
    attacked = sorted(_of(numbers, f"evasion_rate_at_{rate}"), key=_value)
    clean = {row["entry"]: row for row in _of(numbers, f"flagged_rate_at_{rate}")}
    kinds = tuple(sorted({_kind(row) for row in attacked}))
    worst = {(row["entry"], _kind(row)): row for row in attacked}
    lines = []
    for entry in dict.fromkeys(row["entry"] for row in _of(numbers, f"evasion_rate_at_{rate}")):
        own = [worst.get((entry, kind)) for kind in kinds]
        found = [numbers.maybe(row, label=row["examples"].rpartition("/")[2] if row else "") for row in own]
        lines.append(Line((entry,), (numbers.maybe(clean.get(entry)), *found)))
    caption = f"Greatest share of inputs misclassified and not flagged, at the threshold set for {float(rate):.0%} FPR"
    return Table(caption, ("classifier + detector",), ("clean inputs flagged", *kinds), tuple(lines))


def _evades(row: Row) -> bool:
    return str(row["metric"]).startswith("evasion_rate_at_")


def _kind(row: Row) -> str:
    return re.split(" to | from ", read(row["threat"]).knows)[0]


def _columns(numbers: Numbers, metrics: dict[str, str], words: Callable[[Row], tuple[str, ...]]) -> list[Line]:
    lines: dict[tuple[str, ...], dict[str, Number]] = {}
    for row in _of(numbers, *metrics):
        lines.setdefault(words(row), {})[measured(row["metric"])] = numbers.number(row)
    return [Line(about, tuple(line.get(metric) for metric in metrics)) for about, line in lines.items()]


def _margins(numbers: Numbers) -> Table | None:
    if not _of(numbers, "kendall_tau"):
        return None
    metrics = {
        "median_margin": "median margin (pixels)",
        "kendall_tau": "Kendall's tau",
        "share_not_found": "not found",
    }
    # Not the lines of single methods: only the smallest margin of all is ranked.
    lines = [line for line in _columns(numbers, metrics, lambda r: (r["entry"], r["examples"])) if line.numbers[1]]
    caption = "Distance to the decision boundary, and how well the logit margin ranks it"
    return Table(caption, ("classifier", "examples"), tuple(metrics.values()), tuple(lines))


def _translation(numbers: Numbers) -> Table | None:
    """Accuracy before and after translating, and the gain."""
    gains = _of(numbers, "accuracy_gain")
    accuracies = {(row["entry"], row["examples"]): row for row in _of(numbers, "accuracy")}
    if not gains:
        return None
    lines = []
    for gain in gains:
        places = (gain["examples"].rpartition("/")[0], gain["examples"])
        both = [accuracies.get((gain["entry"], place)) for place in places]
        found = [numbers.maybe(row) for row in both]
        lines.append(Line((gain["entry"], gain["examples"]), (*found, numbers.number(gain)), gain["threat"]))
    columns = ("before translation", "after it", "gain")
    return Table("Accuracy before and after translating the images", ("classifier", "examples"), columns, tuple(lines))


def _routing(numbers: Numbers) -> Table | None:
    """Per defence, what is left by the strongest attack of each kind, and what an oracle router would leave of it."""
    oracle = _of(numbers, "oracle_accuracy")
    if not oracle:
        return None
    kinds = ("none", *sorted({_kind(row) for row in oracle} - {"none"}))
    lines = []
    for entry in dict.fromkeys(row["entry"] for row in oracle):
        rates = [row for row in _of(numbers, "false_routing_rate") if row["entry"] == entry]
        routers = (("accuracy", "as deployed"), ("oracle_accuracy", "oracle, not deployable"))
        for metric, words in routers if rates else (("accuracy", "none: every image is translated"),):
            own = sorted((row for row in _of(numbers, metric) if row["entry"] == entry), key=_value, reverse=True)
            if metric != "accuracy":  # an attack on the deployed router is none on the oracle
                own = [row for row in own if not _kind(row).startswith("white-box")]
            worst = {_kind(row): row for row in own}
            found = [worst.get(kind) for kind in kinds]
            labels = [row["examples"].partition("/")[2] if row else "" for row in found]
            cells = [numbers.maybe(row, label=label) for row, label in zip(found, labels, strict=True)]
            rate = rates[0] if rates and metric == "accuracy" else None
            lines.append(Line((entry, words), (*cells, numbers.maybe(rate))))
    columns = ("clean", *kinds[1:], "clean images translated")
    caption = "Accuracy under the attack of each kind that leaves least; no one attacked the oracles"
    return Table(caption, ("defence", "router"), columns, tuple(lines))


def _sanity(numbers: Numbers) -> Table | None:
    """Every check of every attack with its bound; what failed says so."""
    values = {_checked(row): row for row in numbers.overall() if measured(row["metric"]) in CHECKS}
    verdicts = {
        (entry, examples, check.removesuffix(PASSED)): row
        for row in numbers.overall()
        for entry, examples, check in [_checked(row)]
        if check.endswith(PASSED)
    }
    if not values:
        return None
    checks = [name for name in CHECKS if any(check == name for _, _, check in values)]
    lines = []
    for entry, examples in dict.fromkeys((entry, examples) for entry, examples, _ in values):
        found = [
            numbers.maybe(values.get(key), label="" if key not in verdicts or verdicts[key]["value"] == 1 else "failed")
            for key in ((entry, examples, name) for name in checks)
        ]
        threats = [row["threat"] for key, row in values.items() if key[:2] == (entry, examples)]
        lines.append(Line((entry, examples), tuple(found), threats[0]))
    columns = tuple(f"{CHECKS[name].words}, asked {CHECKS[name].asked}" for name in checks)
    counts = sorted({row["n"] for row in values.values()})
    of = " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))
    caption = "What an attack must do before its numbers are believed; a number whose attack failed a check is marked ⚠"
    caption += f". On n = {of} images, so one image is {100 / counts[0]:.2g} points; no intervals"
    return Table(caption, ("classifier", "attack"), columns, tuple(lines))


def _checked(row: Row) -> tuple[str, str, str]:
    return row["entry"], row["examples"], measured(row["metric"])
