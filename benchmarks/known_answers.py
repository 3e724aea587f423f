"""How often is the judge wrong? The study `known_answers` with new data and networks, once per seed, against its truths.

    python benchmarks/known_answers.py [--seeds 20] [--first 0]

Each seed draws every image and every weight anew, and runs all steps from `prepare` to the verdicts in this process, with
the steps' own code: fetch has nothing to fetch, and no page is written. Claims called Strue-N are true and Sfalse-N false
by construction (src/touchstone/papers/known_answers/truths.py). Beside the judge run two mutants on the same numbers: one
that judges by the hull of the networks' intervals, and one that sees no attack that knows a defence. Writes known_answers.json
and .md into benchmarks/results/.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from touchstone.claims import paper_files
from touchstone.claims.criteria import Book
from touchstone.claims.judging import Asked, judge
from touchstone.claims.verdicts import BROKEN, CONFIRMED, INCONCLUSIVE, NOT_CONFIRMED
from touchstone.pipeline.jobs.run import run
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow, decode
from touchstone.report.tables import numbered
from touchstone.statistics import intervals

ROOT = Path(__file__).parents[1]
STUDY, SEED_STEP = "known_answers", 100  # between the networks of two seeds
KINDS = {"true": "true", "false": "false", "planted": "planted, hides its gradient", "honest": "planted, honest"}
WORDS = (CONFIRMED, INCONCLUSIVE, NOT_CONFIRMED)
JUDGE, HULL, OBLIVIOUS, TESTED = (
    "the judge",
    "hull of the networks' intervals",
    "oblivious attacks only",
    "thresholds from test images",
)
MOST_WRONG = 0.05
Judgement = tuple[str, str]  # the words of both axes


# --- one seed -----------------------------------------------------------------------------------------------------------


def overlay(seed: int) -> dict[str, Any]:
    """Return the changes that draw all images and all networks of the study anew."""
    settings = load(STUDY, ROOT)
    networks = {
        section: {
            name: {"seeds": [SEED_STEP * seed + own for own in entry["seeds"]]}
            for name, entry in settings[section].items()
        }
        for section in ("classifiers", "translators")
    }
    return {"base": STUDY, "examples": {name: {"seed": seed} for name in settings["examples"]}} | networks


def rows_of_seed(seed: int) -> tuple[Plan, list[MetricRow]]:
    """Return the plan of the study with one seed, and the rows that its evaluations measured."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in ("params.yaml", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "workflow", Path(folder) / "workflow")
        name = f"{STUDY}_{seed}"
        (Path("workflow/studies") / f"{name}.yaml").write_text(yaml.safe_dump(overlay(seed), sort_keys=False))
        plan = Plan(load(name, Path()))
        waiting = [plan.tasks(rule, **wildcards) for rule, wildcards in plan.jobs() if rule.step != "report"]
        while waiting:
            tasks = waiting.pop(0)
            if all(Path(file.partition("#")[0]).exists() for task in tasks for file in task.input_files):
                run(tasks, Path(), Path("logs"))
            else:
                waiting.append(tasks)
        report = next(
            task for rule, wildcards in plan.jobs() if rule.step == "report" for task in plan.tasks(rule, **wildcards)
        )
        files = [Path(str(file)) for file in report.inputs["metrics"]]
        return plan, numbered({file.stem: decode(file.read_bytes()) for file in files})


# --- the judge and its mutants ------------------------------------------------------------------------------------------


def words(book: Book, asked: Asked, rows: Iterable[MetricRow]) -> dict[str, Judgement]:
    """Return the words of every claim whose truth is known."""
    verdicts = judge(book, asked, rows)
    return {verdict.claim.id: (verdict.word, verdict.attacker) for verdict in verdicts if kind_of(verdict.claim.id)}


def kind_of(claim: str) -> str:
    """Return which of KINDS a claim is; "" if it is none, such as an attack on one."""
    match = re.fullmatch(r"S([a-z]+)-\d+", claim)
    return match[1] if match and match[1] in KINDS else ""


def hulls(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Return the rows with the mean over networks in the hull of their intervals, as if more networks proved nothing."""
    rows = list(rows)
    ends: dict[tuple[str, str, str, str], list[MetricRow]] = {}
    for row in rows:
        if row.seed is not None and row.low is not None:
            ends.setdefault((row.evaluation, row.metric, row.entry, row.examples), []).append(row)
    changed = []
    for row in rows:
        own = ends.get((row.evaluation, row.metric.removesuffix("_mean"), row.entry, row.examples), [])
        if row.is_mean and own:
            row = replace(row, low=min(one.low for one in own), high=max(one.high for one in own))
        changed.append(row)
    return changed


def oblivious(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Return the rows without those of attacks that know a defence or need no gradient."""
    return [
        row
        for row in rows
        if row.threat.knowledge != ADAPTIVE and "suite" not in row.examples and "/linear_rule/" not in row.examples
    ]


def thresholds_from_test(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Return the rows as if thresholds came from the test images: exactly that share of these is flagged."""
    changed = []
    for row in rows:
        if row.metric.startswith(("flagged_rate_at_0.05", "false_routing_rate")):
            ends = intervals.binomial(row.n // 20, row.n)
            row = replace(row, value=ends.value, low=ends.low, high=ends.high)
        changed.append(row)
    return changed


def trial(seed: int) -> dict[str, dict[str, Judgement]]:
    """Return {judge: {claim: its words}} of one seed."""
    plan, rows = rows_of_seed(seed)
    book, asked = paper_files.book(plan.study["papers"]), Asked(**plan.questions.claims())
    variants = {JUDGE: rows, HULL: hulls(rows), OBLIVIOUS: oblivious(rows), TESTED: thresholds_from_test(rows)}
    return {name: words(book, asked, changed) for name, changed in variants.items()}


# --- the table ----------------------------------------------------------------------------------------------------------


def table(trials: list[dict[str, Judgement]]) -> dict[str, dict[str, int]]:
    """Return {kind: {word: count}} over all seeds; a planted claim's word is broken if an attacker broke it."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for words_of in trials:
        for claim, (word, attacker) in words_of.items():
            kind = kind_of(claim)
            counts[kind][attacker if kind in ("planted", "honest") and attacker == BROKEN else word] += 1
    return {kind: dict(count) for kind, count in counts.items()}


def share(count: dict[str, int], word: str) -> float:
    """Return the share of a word among all words of one kind of claims."""
    return count.get(word, 0) / max(sum(count.values()), 1)


def faults(trials: list[dict[str, Judgement]]) -> list[str]:
    """Return what is wrong with a judge, in sentences; nothing if it is as good as it has to be."""
    counts, wrong = table(trials), []
    for kind, word in (("false", CONFIRMED), ("true", NOT_CONFIRMED)):
        if (rate := share(counts[kind], word)) > MOST_WRONG:
            wrong.append(f"{100 * rate:.1f} % of {kind} claims are {word}")
    standing = {claim for words_of in trials for claim, (word, attacker) in words_of.items()
                if kind_of(claim) == "planted" and word == CONFIRMED and attacker != BROKEN}  # fmt: skip
    fallen = {claim for words_of in trials for claim, (word, attacker) in words_of.items()
              if kind_of(claim) == "honest" and (attacker == BROKEN or word == NOT_CONFIRMED)}  # fmt: skip
    wrong += [f"{claim} hides something and was not broken" for claim in sorted(standing)]
    return wrong + [f"{claim} is honest and was refused" for claim in sorted(fallen)]
