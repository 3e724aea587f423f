"""One table of changes to a study of more than 100 jobs: Snakemake plans exactly the jobs that each calls for.

It asks some of the default study's questions. No job of it was run: every file is a stand-in, with the sidecar that its job
would have written, so that plans are real.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from operator import or_

import pytest

from touchstone import digests
from touchstone.pipeline.orchestration import restore
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import bundles, code, sidecar_files
from touchstone.pipeline.provenance.addresses import Address, files_of
from touchstone.pipeline.settings.study import load

FINAL = "reports/digits/report.html"
STUDY = """
study: {title: Some questions about digits}
papers: [gradient_detection, margin_consistency, fgsm]
questions: [robustness, one_step_training, detection, open_set, margins, subset_robustness, pseudo_margins, margin_evasion]
"""


# --- a finished study without a run -------------------------------------------------------------------------------


def message(rule, wildcards):
    """What the workflow calls a job."""
    batch = rule.batch.name if rule.batch else ""
    first = next(iter(wildcards.values()), "")
    return {
        "fetch": f"Fetch {first}",
        "prepare": f"Prepare {first}",
        "train": f"Train {first}",
        "attack": f"Attack {first}: {batch}",
        "translate": f"Translate with seed {wildcards.get('seed')}: {batch}",
        "infer": f"Run {wildcards.get('net')}: {batch}",
        "measure": f"Measure margins of {wildcards.get('net')} by {wildcards.get('margin')}: {batch}",
        "fit": f"Fit on {wildcards.get('net')}: {rule.detectors}",
        "score": f"Score {batch} on {wildcards.get('net')}: {rule.detectors}",
        "evaluate": f"Evaluate {first}",
        "report": "Write the report",
    }[rule.step]


def written(tasks):
    return files_of(task.output for task in tasks)


def read(tasks):
    return files_of(file for task in tasks for file in task.input_files)


class Graph:
    """The jobs that a study's report needs, and who needs whom."""

    def __init__(self, plan):
        self.plan, every = plan, [(rule, wildcards, plan.tasks(rule, **wildcards)) for rule, wildcards in plan.jobs()]
        maker = {file: number for number, (_, _, tasks) in enumerate(every) for file in written(tasks)}
        order, seen = [], set()

        def visit(number):
            if number not in seen:
                seen.add(number)
                for file in read(every[number][2]):
                    visit(maker[file])
                order.append(number)

        visit(maker[FINAL])
        self.jobs = [every[number] for number in order]  # what a job needs stands before it

    def downstream(self, wanted):
        """The messages of the jobs for which `wanted(rule, wildcards, tasks)` holds, and of all that they lead to."""
        made, found = set(), Counter()
        for rule, wildcards, tasks in self.jobs:
            if wanted(rule, wildcards, tasks) or made & set(read(tasks)):
                made |= set(written(tasks))
                found[message(rule, wildcards)] += 1
        return found


def stand_in(root, graph):
    """Write every file of the study: its own path as its content, and the sidecar that its job would have written."""
    links = {}
    for _, _, tasks in graph.jobs:
        records, texts = {}, {}
        for task in tasks:
            path, member = root / task.output, Address.parse(task.output).member
            if member:
                texts[member] = task.output.encode()
                digest = digests.sha256(texts[member])
            elif task.step == "fetch":
                path.mkdir(parents=True)
                (path / "raw").write_text(task.output)
                digest = digests.folder_digest(path)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(task.output)
                digest = digests.file_digest(path)
            inputs = {role: [links[file] for file in found] for role, found in task.as_json()["inputs"].items()}
            made_by = code.code_of(task.step, task.settings)
            facts = {
                "step": task.step,
                "settings": task.settings,
                "inputs": inputs,
                "code": made_by.digest,
                "definitions": made_by.definitions,
                "packages": made_by.packages,
            }
            if member:
                records[member] = {"artefact": digest, **facts}
                sidecar = sidecar_files.digest_of_record(records[member])
            else:
                sidecar_files.write_sidecar(path, digest, facts)
                sidecar = sidecar_files.record_digest(path)
            links[task.output] = {"file": task.output, "artefact": digest, "sidecar": sidecar}
        if records:
            path = root / written(tasks)[0]
            with bundles.written(path) as bundle:
                for member, text in texts.items():
                    bundle.add(member, text)
            sidecar_files.write_bundle_sidecar(path, records)
    for page in graph.plan.layout.more_pages:
        (root / page).mkdir() if page.endswith("figures") else (root / page).write_text(page)


@pytest.fixture(scope="module")
def single(bare, tmp_path_factory):
    """The repository with a smaller default study, and one seed of every network."""
    project = bare.copy(tmp_path_factory.mktemp("table") / "project")
    (project.root / "workflow/studies/digits.yaml").write_text(STUDY)
    params = project.root / PARAMS
    params.write_text(params.read_text().replace("seeds: [0, 1, 2]", "seeds: [0]"))
    return project


@pytest.fixture(scope="module")
def graph(single):
    return Graph(Plan(load("digits", single.root)))


@pytest.fixture(scope="module")
def finished(single, graph):
    stand_in(single.root, graph)
    single.planned(study="digits")  # Snakemake's records are made from the sidecars, once for all
    return single


@pytest.fixture
def own(finished, tmp_path):
    """A copy that may be changed."""
    return finished.copy(tmp_path / "own")


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """Edits as (file, old, new), or something done to the project; and which jobs that calls for before all downstream."""

    name: str
    edits: tuple = ()
    done: object = None
    wanted: object = lambda rule, wildcards, tasks: False
    options: tuple = ()
    warning: str = ""
    with_one_before: bool = False  # tried in one plan with the row before: no job but the report follows from both


def uses(component):
    return lambda rule, wildcards, tasks: f'"use":"{component}"' in digests.canonical([task.settings for task in tasks])


def of_the_entry_energy(rule, wildcards, tasks):
    """Not those of energy_split, which is the same component under another name."""
    return uses("detectors/energy")(rule, wildcards, tasks) and rule.detectors != "near_detectors"


def makes_attack(name):
    return lambda rule, *_: rule.step == "attack" and any(examples.attack == name for examples in rule.batch.sets)


def named(*names):
    return lambda rule, wildcards, tasks: message(rule, wildcards) in names


def either(*several):
    return lambda *job: any(wanted(*job) for wanted in several)


def touch_and_overlay(project):
    """Times of files, and a study that is another."""
    (project.root / "workflow/studies/other.yaml").write_text("attacks: {pgd: {eps: 0.2}}\n")
    for path in [*(project.root / "data").rglob("*"), *(project.root / "src").rglob("*"), project.root / "params.yaml"]:
        os.utime(path)


def upper(file):
    """Every letter of a stand-in another one."""

    def change(project):
        path = project.root / file
        path.write_text(path.read_text().upper())

    return change


def removed(file):
    return lambda project: (project.root / file).unlink()


def interrupted(project):
    """What Snakemake leaves of a job that it began and did not see end."""
    for study in ("digits", "another"):
        marker = (
            project.root / ".snakemake/incomplete" / restore.record_name(f"data/{study}/metrics/pseudo_margins.csv")
        )
        marker.parent.mkdir(exist_ok=True)
        marker.write_text('{"external_jobid": null}')


def conda(project):
    """A conda that answers what Snakemake asks before a dry run; no environment is made for one."""
    tool = project.root / "conda/bin/conda"
    tool.parent.mkdir(parents=True)
    information = {
        "conda_prefix": str(project.root / "conda"),
        "conda_version": "24.7.1",
        "root_prefix": "/x",
        "platform": "linux-64",
    }
    answers = {
        "info": json.dumps(information),
        "--version": "conda 24.7.1",
        "config": '{"get": {"channel_priority": "strict"}}',
    }
    cases = " ".join(f"{asked}) echo '{answer}';;" for asked, answer in answers.items())
    tool.write_text(f'#!/bin/sh\ncase "$1" in {cases} esac\n')
    tool.chmod(0o755)


FGSM, PGD, ENERGY = (f"src/touchstone/{name}.py" for name in ("attacks/fgsm", "attacks/pgd", "detectors/energy"))
PARAMS = "params.yaml"
EVALUATIONS = "\nevaluations:\n"
FAMILY = "  pgd_*: {use: pgd, eps: [0.02, 0.05, 0.1, 0.15, 0.2, 0.3]}\n"
TABLE = [
    Change("nothing"),
    Change(
        "all that changes no number",
        [
            ("src/touchstone/adversary/losses.py", "\nfrom __future__", "\n# a comment in a shared module\nfrom __future__"),
            (FGSM, "The fast gradient sign method (FGSM).", "Another word for it."),
            (FGSM, "moved = images + eps * gradient.sign()", "moved = (\n                images + eps * gradient.sign()\n            )"),
            ("src/touchstone/margins/_hyperplanes.py", "\nfrom touchstone", "\nUNUSED = 1\nfrom touchstone"),
            ("requirements.lock", "\ntorch==", "\n# resolved again\ntorch=="),
            (PARAMS, "energy: {use: energy}", "energy: {use: energy, temperature: 1.0}"),  # its default
            (PARAMS, "fgsm: {use: fgsm, eps: 0.1}", "fgsm: {use: fgsm, eps: 1/10}"),
        ],
        done=touch_and_overlay,
    ),
    Change("a constant", [(FGSM, "images + eps * gradient", "images + 1.0 * eps * gradient")], wanted=uses("attacks/fgsm")),
    Change("a default that the study overrides", [(FGSM, "eps: UnitInterval = 0.1", "eps: UnitInterval = 0.2")], wanted=uses("attacks/fgsm")),
    Change("a default", [(ENERGY, "PositiveFloat = 1.0", "PositiveFloat = 2.0")], wanted=uses("detectors/energy")),
    Change(
        "a renamed helper",
        [("src/touchstone/margins/nearest_classes.py", "_search(", "_look(")],
        wanted=uses("margins/nearest_classes"),
        with_one_before=True,
    ),
    Change("a setting", [(PARAMS, FAMILY, FAMILY + "  pgd_10: {steps: 41}\n")], wanted=makes_attack("pgd_10"), with_one_before=True),
    Change("a setting of a detector", [(PARAMS, "energy: {use: energy}", "energy: {use: energy, temperature: 2}")], wanted=of_the_entry_energy),
    Change(
        "an edit in a shared module",
        [("src/touchstone/margins/_hyperplanes.py", "weight = slope.abs()", "weight = 1 * slope.abs()")],
        wanted=either(uses("margins/nearest_classes"), uses("margins/minimal_pgd")),
        with_one_before=True,
    ),
    Change("other raw data", [(PARAMS, "sha256:b70c05f0", "sha256:b70c05f1")], wanted=named("Fetch skimage_faces", "Prepare faces")),
    Change(
        "a raw byte",
        done=upper("data/raw/skimage_faces/raw"),
        wanted=named("Fetch skimage_faces"),
        warning="data/raw/skimage_faces: these are not the raw files that were fetched: expected sha256:",
    ),
    Change("a byte of a table", done=upper("data/digits/metrics/margins.csv"), wanted=named("Evaluate margins"), with_one_before=True),
    Change(
        "a missing file",
        done=removed("data/digits/metrics/subset_robustness.csv"),
        wanted=named("Evaluate subset_robustness"),
        with_one_before=True,
    ),
    Change("an interrupted job", done=interrupted, wanted=named("Evaluate pseudo_margins"), with_one_before=True),
    Change(
        "a byte of an example set",
        done=upper("data/digits/examples/digits_test.safetensors"),
        wanted=named("Prepare digits_test"),
        warning="data/digits/examples/digits_test.safetensors: its bytes do not match its sidecar; it will be recomputed",
    ),
    REMOVED := Change(
        "an entry removed",
        [
            (PARAMS, "  margin_pgd: {use: margin_pgd, eps: 0.1, restarts: 3}  # makes a wrong class look safe: criterion S2-9\n", ""),
            (PARAMS, EVALUATIONS, "\nclaims: {S2-9: It is not asked here.}\n" + EVALUATIONS + "  margin_evasion: {attacks: [pgd, reliable]}\n"),
        ],
        wanted=named("Evaluate margin_evasion"),
    ),
    Change(
        "a new entry",
        [
            (PARAMS, FAMILY, FAMILY + "  square: {use: square}\n"),
            (PARAMS, EVALUATIONS, EVALUATIONS + "  robustness: {attacks: [square, $inherited]}\n"),
        ],
        wanted=either(lambda rule, *_: rule.name == "attack_id_test_square", named("Evaluate robustness")),
        with_one_before=True,
    ),
    Change(
        "what runs every job",
        [("src/touchstone/pipeline/jobs/run.py", "ready, reused = False, 0", "ready, reused = False, 0 + 0")],
        wanted=lambda rule, *_: rule.step != "fetch",
    ),
    Change("what no job runs", [("src/touchstone/commands/job.py", "return 0", "return 0 + 0")]),
    Change("with conda", done=conda, options=("--use-conda",)),
    Change(
        "with conda, another torch",
        [("requirements.lock", "\ntorch==2", "\ntorch==3")],
        done=conda,
        wanted=lambda rule, *_: rule.step != "fetch",
        options=("--use-conda",),
    ),
]  # fmt: skip


def rows():
    """The rows of the table that are tried together."""
    together = []
    for change in TABLE:
        together = [*together[:-1], [*together[-1], change]] if change.with_one_before else [*together, [change]]
    return together


def planned(project, *options):
    """(the jobs, what was said) of a plan of the default study."""
    words = ["-m", "snakemake", "--nocolor", "--dry-run", "--cores", "all", *options]
    path = os.pathsep.join([str(project.root / "conda/bin"), os.environ["PATH"]])
    done = replace(project, environment={"PATH": path}).forked(words)
    text = done.stdout + done.stderr
    jobs = [line.split(": ", 1)[1] for line in text.splitlines() if line.startswith("Job ") and ": " in line]
    return Counter(jobs), text


ANSWER = """
from touchstone.pipeline.settings.study import load
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.orchestration.restore import restore
from touchstone.pipeline.orchestration.freshness import nothing_to_do

plan = Plan(load("digits"))
print(nothing_to_do(plan, restore(plan)))
"""


def answered(project):
    """What `touchstone run` knows without Snakemake: whether there is nothing to do."""
    done = replace(project, environment={"PYTHONPATH": "src"}).forked(["-c", ANSWER])
    return {"True\n": True, "False\n": False}[done.stdout]


@pytest.mark.parametrize("changes", rows(), ids=lambda changes: ", ".join(change.name for change in changes))
def test_a_change_reruns_exactly_its_jobs(own, graph, changes):
    for change in changes:
        for edit in change.edits:
            own.edit(*edit)
        if change.done:
            change.done(own)
    study = Graph(Plan(load("digits", own.root))) if changes[0] is REMOVED else graph  # whose entries are others
    follows = [study.downstream(change.wanted) for change in changes]
    options = [option for change in changes for option in change.options]

    nothing = answered(own)
    jobs, text = planned(own, *options)

    for one, other in combinations(follows, 2):
        assert one & other == Counter(["Write the report"]), "a job of both would not say which change calls for it"
    assert jobs == reduce(or_, follows)
    if not options:
        assert nothing == (not jobs), "what answers without Snakemake answers as Snakemake"
    assert all(change.warning in text for change in changes)
    if options or any(change.done for change in changes):  # those in which a plan writes records or times
        assert planned(own, *options)[0] == jobs, "a plan changes nothing"


def test_the_table_is_about_a_study_of_many_jobs(graph):
    assert len(graph.jobs) >= 100
    assert all(graph.downstream(change.wanted) for change in TABLE if change.edits and "a constant" in change.name)
