"""How often is the judge wrong? The study `known_answers` with new data and networks, once per seed, against its truths.

    python benchmarks/known_answers.py [--seeds 20] [--first 0] [--keep FOLDER]

Each seed has new images and new weights, and runs all steps from `prepare` to the verdicts in this process, with
the steps' own code: fetch has nothing to fetch, and no page is written. Claims called Strue-N are true and Sfalse-N false
by construction (benchmarks/known_truths/truths.py). Mutants judge the same numbers by the hull of the networks'
intervals, without attacks that know a defence, or with thresholds from the test images. With --keep the numbers of each
seed are stored in a folder and not measured again. Writes known_answers.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import chdir
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

import racing
from known_truths import claims
from racing import Goal, Results
from touchstone.claims import paper_files
from touchstone.claims.criteria import Book
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.words import BROKEN, FAILS, HOLDS, INCONCLUSIVE, NOT_RUN
from touchstone.evaluations.statistics import intervals
from touchstone.pipeline.jobs import job_plan
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.jobs.run import run
from touchstone.pipeline.planning.parts import Job
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import folder_of
from touchstone.provenance.store import Store
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow, Metrics, decode, encode
from touchstone.report.tables import numbered
from touchstone.settings.files import read_yaml
from touchstone.settings.study import load

ROOT = Path(__file__).parents[1]
WORLD = "benchmarks/known_truths"
STUDY, SEED_STEP = f"{WORLD}/known_answers.yaml", 100  # between the networks of two seeds
KINDS = {"true": "true", "false": "false", "planted": "planted, hides its gradient", "honest": "planted, honest"}
WORDS = (HOLDS, INCONCLUSIVE, FAILS)
JUDGE, HULL, OBLIVIOUS, TESTED = (
    "the judge",
    "hull of the networks' intervals",
    "oblivious attacks only",
    "thresholds from test images",
)
MOST_WRONG, LEAST_POWER = 0.05, 0.95
Judgement = tuple[str, str]  # the words of both axes


# --- one seed -----------------------------------------------------------------------------------------------------------


def study_of_seed(seed: int) -> dict[str, Any]:
    """Return the content of the study with new images and new networks."""
    settings = load(STUDY, ROOT)
    networks = {
        section: {
            name: {"seeds": [SEED_STEP * seed + own for own in entry["seeds"]]}
            for name, entry in settings[section].items()
            if entry["seeds"]
        }
        for section in ("classifiers", "translators", "evaluations")
    }
    images = {name: {"seed": seed} for name in settings["examples"]}
    return {**read_yaml(ROOT / STUDY), "change": {"examples": images, **networks}}


def rows_of_seed(seed: int) -> list[MetricRow]:
    """Return the rows that the evaluations of the study measure with one seed."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in ("params.yaml", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / WORLD, Path(folder) / WORLD)
        study = Path(f"known_answers_{seed}.yaml")
        study.write_text(yaml.safe_dump(study_of_seed(seed), sort_keys=False))
        plan = Plan(load(f"./{study}", Path()))
        jobs = {str(job): (job, digest) for job, digest in zip(plan.jobs.values(), plan.write().values(), strict=True)}
        for name in TopologicalSorter({name: job.inputs for name, (job, _) in jobs.items()}).static_order():
            job, digest = jobs[name]
            if job.rule != "report":
                carry_out(plan.study.name, job, digest)
        report = plan.tasks[plan.layout.page]
        files = [Path(str(file)) for file in report.inputs["metrics"]]
        return numbered({file.stem: decode(file.read_bytes()) for file in files})


def carry_out(study: str, job: Job, digest: str) -> None:
    """Run one job of a study in this process."""
    inputs, folder = [folder_of(study, other) for other in job.inputs], folder_of(study, str(job))
    artefacts = Artefacts(job_plan.load(digest, inputs, folder), Store(study, Path("data")))
    run(artefacts, Path("logs"))
    artefacts.finish(Path(folder))


def kept_rows(seed: int, folder: Path | None) -> list[MetricRow]:
    """Return the rows of one seed, from the folder if it has them."""
    file = None if folder is None else folder / f"{seed}.csv.gz"
    if file is not None and file.is_file():
        return decode(gzip.decompress(file.read_bytes())).rows
    rows = rows_of_seed(seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(encode(Metrics(rows)), mtime=0))
    return rows


# --- the judge and its mutants ------------------------------------------------------------------------------------------


def words(book: Book, study: StudyClaims, rows: Iterable[MetricRow]) -> dict[str, Judgement]:
    """Return the words of every claim whose truth is known, and whose numbers are there."""
    verdicts = [verdict for verdict in judge(book, study, rows) if kind_of(verdict.claim.id)]
    return {verdict.claim.id: (verdict.word, verdict.attacker) for verdict in verdicts if verdict.word != NOT_RUN}


def kind_of(claim: str) -> str:
    """Return which of KINDS a claim is; "" if it is none, such as an attack on one."""
    match = re.fullmatch(r"S([a-z]+)-\d+", claim)
    return match[1] if match and match[1] in KINDS else ""


def hulls(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Return the rows with the mean over networks in the hull of their intervals, as if more networks proved nothing."""
    rows, ends = list(rows), defaultdict(list)
    for row in rows:
        if row.seed is not None and row.low is not None:
            ends[row.evaluation, row.measured, row.entry, row.examples].append((row.low, row.high))
    for place, row in enumerate(rows):
        if row.is_mean and (own := ends[row.evaluation, row.measured, row.entry, row.examples]):
            rows[place] = replace(row, low=min(low for low, _ in own), high=max(high for _, high in own))
    return rows


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


MUTANTS = {HULL: hulls, OBLIVIOUS: oblivious, TESTED: thresholds_from_test}


def claims_of_study() -> tuple[Book, StudyClaims]:
    """Return the paper's claims, and what the study says of them."""
    plan = Plan(load(STUDY, ROOT))
    return paper_files.book(plan.study["papers"]), StudyClaims(**plan.questions.claims())


def trial(book: Book, study: StudyClaims, rows: list[MetricRow]) -> dict[str, dict[str, Judgement]]:
    """Return {judge: {claim: its words}} on the rows of one seed."""
    variants = {JUDGE: rows} | {name: mutant(rows) for name, mutant in MUTANTS.items()}
    return {name: words(book, study, changed) for name, changed in variants.items()}


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


def wrong(claim: str, word: str, attacker: str) -> bool:
    """Return whether the words for a claim are the opposite of the truth; inconclusive is not."""
    match kind_of(claim):
        case "true":
            return word == FAILS
        case "false":
            return word == HOLDS
        case "planted":
            return word == HOLDS and attacker != BROKEN
        case _:
            return word == FAILS or attacker == BROKEN


def often_wrong(trials: list[dict[str, Judgement]]) -> dict[str, int]:
    """Return the claims that were judged wrongly with more than a quarter of the seeds, and with how many."""
    counts = Counter(claim for words_of in trials for claim, said in words_of.items() if wrong(claim, *said))
    return {claim: count for claim, count in sorted(counts.items()) if count > len(trials) / 4}


def far_claims() -> list[str]:
    """Return the true claims that are at least five usual errors from their bounds."""
    return [
        name
        for name, quantity, _, bound in claims.judged()
        if kind_of(name) == "true" and abs(quantity.truth - bound) > 4.9 * quantity.error
    ]


def faults(trials: list[dict[str, Judgement]]) -> list[str]:
    """Return what is wrong with a judge, in sentences; nothing if it is as good as it has to be."""
    counts, found = table(trials), []
    for kind, word in (("false", HOLDS), ("true", FAILS)):
        if (rate := share(counts[kind], word)) > MOST_WRONG:
            found.append(f"{100 * rate:.1f} % of {kind} claims: {word}")
    far = far_claims()
    said = [words_of[claim][0] for words_of in trials for claim in far if claim in words_of]
    if said and (rate := said.count(HOLDS) / max(len(said), 1)) < LEAST_POWER:
        found.append(f"only {100 * rate:.1f} % of true claims far from their bounds hold")
    return found + [
        f"{claim} is judged wrongly with {n} of {len(trials)} seeds" for claim, n in often_wrong(trials).items()
    ]


# --- the race -------------------------------------------------------------------------------------------------------------


def measured(seeds: list[int], keep: Path | None) -> Results:
    """Return what every judge said with all seeds, and what is wrong with each judge."""
    book, study = claims_of_study()
    trials = [trial(book, study, kept_rows(seed, keep)) for seed in seeds]
    by_judge = {name: [one[name] for one in trials] for name in (JUDGE, *MUTANTS)}
    counts = table(by_judge[JUDGE])
    missed = Counter(kind_of(claim) for one in by_judge[JUDGE] for claim, said in one.items() if wrong(claim, *said))
    goals = [
        Goal("share of false claims that hold", share(counts["false"], HOLDS), MOST_WRONG),
        Goal("share of true claims that fail", share(counts["true"], FAILS), MOST_WRONG),
        Goal("planted defences that stand", missed["planted"], 0),
        Goal("honest defences that fall", missed["honest"], 0),
        Goal("claims judged wrongly with more than a quarter of the seeds", len(often_wrong(by_judge[JUDGE])), 0),
    ]
    return {
        "command": racing.command(),
        "machine": racing.machine("scipy"),
        "goals": [goal.as_json() for goal in goals],
        "seeds": seeds,
        "claims": dict(Counter(map(kind_of, trials[0][JUDGE]))),
        "tables": {name: table(each) for name, each in by_judge.items()},
        "faults": {name: faults(each) for name, each in by_judge.items()},
        "wrong": {claim: sum(wrong(claim, *one[JUDGE][claim]) for one in trials) for claim in trials[0][JUDGE]},
    }


def page(found: Results) -> str:
    """Return the confusion tables as Markdown."""
    counts, seeds = found["claims"], len(found["seeds"])
    lines = [
        "# How often is the judge wrong?",
        "",
        f"The study `known_answers` with {seeds} seeds. Each draws new images and new networks. {counts['true']} claims are"
        f" true and {counts['false']} false, by 0.1 to 12 usual standard errors. {counts['planted']} planted defences hide"
        f" something, and {counts['honest']} are honest.",
        "",
        f"`{found['command']}`. {racing.as_sentence(found['machine'])}",
        "",
        racing.goal_table([Goal(*(goal[name] for name in Goal._fields)) for goal in found["goals"]]),
    ]
    for name, kinds in found["tables"].items():
        every = list(dict.fromkeys([*WORDS, BROKEN, *(word for count in kinds.values() for word in count)]))
        lines += [
            "",
            f"## {name[0].upper()}{name[1:]}",
            "",
            f"| | {' | '.join(every)} |",
            f"| --- |{' --: |' * len(every)}",
        ]
        for kind, count in kinds.items():
            shares = (f"{100 * share(count, word):.1f} %" if word in count else "0" for word in every)
            lines.append(f"| {KINDS[kind]} | {' | '.join(shares)} |")
        lines += ["", *(f"- {fault}." for fault in found["faults"][name] or ["Nothing is wrong with it"])]
    worst = [f"{claim} ({n})" for claim, n in sorted(found["wrong"].items(), key=lambda one: -one[1]) if n]
    lines += ["", f"Claims that the judge got wrong, with the number of seeds: {', '.join(worst) or 'none'}."]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Run the seeds, write the tables, and return 1 if the judge is at fault."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    racing.begin(options.threads)
    seeds = list(range(options.first, options.first + options.seeds))
    found = measured(seeds, options.keep and options.keep.resolve())
    racing.write(options.out, "known_answers", found, page(found))
    return int(bool(found["faults"][JUDGE]))


if __name__ == "__main__":
    sys.exit(main())
