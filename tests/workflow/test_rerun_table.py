"""One table of changes to the default study, with its more than 100 jobs: Snakemake plans exactly the jobs that each calls for.

No job of it was run: every file is a stand-in, with the sidecar that its job would have written, so that plans are real.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field

import pytest

from touchstone import collecting, digests, provenance
from touchstone.params import load
from touchstone.plan import Plan, code_files, digests_of

FINAL = "reports/digits/report.html"


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


class Graph:
    """The jobs that a study's report needs, and who needs whom."""

    def __init__(self, plan):
        self.plan, every = plan, [(rule, wildcards, plan.tasks(rule, **wildcards)) for rule, wildcards in plan.jobs()]
        maker = {task.output: number for number, (_, _, tasks) in enumerate(every) for task in tasks}
        order, seen = [], set()

        def visit(number):
            if number not in seen:
                seen.add(number)
                for file in (file for task in every[number][2] for file in task.input_files):
                    visit(maker[file])
                order.append(number)

        visit(maker[FINAL])
        self.jobs = [every[number] for number in order]  # what a job needs stands before it

    def downstream(self, wanted):
        """The messages of the jobs for which `wanted(rule, wildcards, tasks)` holds, and of all that they lead to."""
        made, found = set(), Counter()
        for rule, wildcards, tasks in self.jobs:
            if wanted(rule, wildcards, tasks) or made & {file for task in tasks for file in task.input_files}:
                made |= {task.output for task in tasks}
                found[message(rule, wildcards)] += 1
        return found


def stand_in(root, graph):
    """Write every file of the study: its own path as its content, and the sidecar that its job would have written."""
    lock, links = provenance.lock_digest(root), {}
    for _, _, tasks in graph.jobs:
        files, code = code_files(tasks), digests_of(tasks)[1]
        for task in tasks:
            path = root / task.output
            if task.step == "fetch":
                path.mkdir(parents=True)
                (path / "raw").write_text(task.output)
                digest = digests.folder_digest(path)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(task.output)
                digest = digests.file_digest(path)
            inputs = {role: [links[file] for file in found] for role, found in task.as_json()["inputs"].items()}
            facts = {
                "step": task.step,
                "settings": task.settings,
                "inputs": inputs,
                "code": code,
                "files": files,
                "lock": lock,
            }
            provenance.write_sidecar(path, digest, facts)
            sidecar = digests.file_digest(provenance.sidecar_path(path))
            links[task.output] = {"file": task.output, "artefact": digest, "sidecar": sidecar}
    for page in graph.plan.more_pages:
        (root / page).mkdir() if page.endswith("figures") else (root / page).write_text(page)


@pytest.fixture(scope="module")
def graph(bare):
    return Graph(Plan(load("digits", bare.root)))


@pytest.fixture(scope="module")
def finished(bare, graph, tmp_path_factory):
    folder = tmp_path_factory.mktemp("table") / "project"
    shutil.copytree(bare.root, folder)
    stand_in(folder, graph)
    project = type(bare)(folder)
    project.planned(study="digits")  # Snakemake's records are made from the sidecars, once for all
    return project


@pytest.fixture
def own(finished, tmp_path):
    shutil.copytree(finished.root, tmp_path / "own", symlinks=True)
    return type(finished)(tmp_path / "own")


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """Edits as (file, old, new), or something done to the project; and which jobs that calls for before all downstream."""

    name: str
    edits: tuple = ()
    done: object = lambda project: None
    wanted: object = lambda rule, wildcards, tasks: False
    options: tuple = ()
    told: str = ""
    planned_after: bool = field(default=False, kw_only=True)  # the jobs are those of the changed study


def uses(component):
    return lambda rule, wildcards, tasks: (
        f'"use":"{component}"' in provenance.canonical([task.settings for task in tasks])
    )


def of_the_entry_energy(rule, wildcards, tasks):
    """Not those of energy_six, which is the same component under another name."""
    return uses("detectors/energy")(rule, wildcards, tasks) and rule.detectors != "near_detectors"


def makes_attack(name):
    return lambda rule, *_: rule.step == "attack" and any(examples.attack == name for examples in rule.batch.sets)


def named(*names):
    return lambda rule, wildcards, tasks: message(rule, wildcards) in names


def reads(file):
    return lambda rule, wildcards, tasks: any(file in task.input_files for task in tasks)


def either(*several):
    return lambda *job: any(wanted(*job) for wanted in several)


def touch(project):
    for path in [*(project.root / "data").rglob("*"), *(project.root / "src").rglob("*"), project.root / "params.yaml"]:
        os.utime(path)


def flip(project):
    path = project.root / "data/digits/examples/digits_test.safetensors"
    path.write_text(path.read_text().upper())


def overlay(project):
    (project.root / "workflow/studies/other.yaml").write_text("attacks: {pgd: {eps: 0.2}}\n")


def lock(project):
    (project.root / "requirements.lock").open("a").write("# resolved again\n")


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
TABLE = [
    Change("nothing"),
    Change("a comment in a shared module", [("src/touchstone/losses.py", "\nfrom __future__", "\n# why\nfrom __future__")]),
    Change("a docstring", [(FGSM, "The fast gradient sign method.", "Another word for it.")]),
    Change("a reformatting", [(FGSM, "moved = images + eps * gradient.sign()", "moved = (\n                images + eps * gradient.sign()\n            )")]),
    Change("a constant", [(FGSM, "images + eps * gradient", "images + 1.0 * eps * gradient")], wanted=uses("attacks/fgsm")),
    Change("a default", [(ENERGY, "PositiveFloat = 1.0", "PositiveFloat = 2.0")], wanted=uses("detectors/energy")),
    Change("a default that the study overrides", [(FGSM, "eps: UnitInterval = 0.1", "eps: UnitInterval = 0.2")], wanted=uses("attacks/fgsm")),
    Change(
        "a renamed helper",
        [("src/touchstone/margins/nearest_classes.py", "_search(", "_look(")],
        wanted=uses("margins/nearest_classes"),
    ),
    Change(
        "an edit in a shared module",
        [("src/touchstone/hyperplanes.py", "\nfrom touchstone", "\nUNUSED = 1\nfrom touchstone")],
        wanted=either(uses("margins/nearest_classes"), uses("margins/fab")),
    ),
    Change("an edit in plumbing", [("src/touchstone/jobs.py", "ready, held = False, 0", "ready, held = False, 0 + 0")]),
    Change("a setting", [(PARAMS, "pgd_02: {use: pgd, eps: 0.02}", "pgd_02: {use: pgd, eps: 0.03}")], wanted=makes_attack("pgd_02")),
    Change("a setting of a detector", [(PARAMS, "energy: {use: energy}", "energy: {use: energy, temperature: 2}")], wanted=of_the_entry_energy),
    Change("a default written out", [(PARAMS, "energy: {use: energy}", "energy: {use: energy, temperature: 1.0}")]),
    Change("a number written otherwise", [(PARAMS, "fgsm: {use: fgsm, eps: 0.1}", "fgsm: {use: fgsm, eps: 1/10}")]),
    Change("other raw data", [(PARAMS, "sha256:b70c05f0", "sha256:b70c05f1")], wanted=named("Fetch skimage_faces", "Prepare faces")),
    Change("a byte of an example set", done=flip, wanted=reads("data/digits/examples/digits_test.safetensors")),
    Change("touched files", done=touch),
    Change("another study's overlay", done=overlay),
    Change(
        "a new entry",
        [
            (PARAMS, "  pgd_30: {use: pgd, eps: 0.3}\n", "  pgd_30: {use: pgd, eps: 0.3}\n  square: {use: square}\n"),
            (PARAMS, "attacks: [fgsm, pgd, reliable, pgd_02, pgd_05,", "attacks: [square, fgsm, pgd, reliable, pgd_02, pgd_05,"),
        ],
        wanted=either(lambda rule, *_: rule.name == "attack_id_test_square", named("Evaluate robustness")),
        planned_after=True,
    ),
    Change(
        "an entry removed",
        [
            (PARAMS, "  margin_pgd: {use: margin_pgd, eps: 0.1}  # makes a wrong class look safe: papers.md S2-9\n", ""),
            (PARAMS, "attacks: [pgd, margin_pgd]", "attacks: [pgd]"),
            (PARAMS, "{robust: [mlp_pgd, cnn_pgd], adaptive: margin_pgd}", "It is not asked here."),
        ],
        wanted=named("Evaluate margin_evasion"),
        planned_after=True,
    ),
    Change("another lock", done=lock, told="files were made under another requirements.lock: kept (lock=rerun makes them again)"),
    Change(
        "another lock, rerun",
        done=lock,
        wanted=lambda *_: True,
        options=("lock=rerun",),
        told="files were made under another requirements.lock: they will be made again",
    ),
    Change("with conda", done=conda, options=("--use-conda",)),
]  # fmt: skip


def planned(project, *options):
    """(the jobs, what was said) of a plan of the default study."""
    config = [option for option in options if "=" in option]
    line = [
        sys.executable,
        "-m",
        "snakemake",
        "--nocolor",
        "--dry-run",
        "--cores",
        "all",
        *(o for o in options if "=" not in o),
    ]
    path = os.pathsep.join([str(project.root / "conda/bin"), os.environ["PATH"]])
    done = subprocess.run(
        line + (["--config", *config] if config else []),
        cwd=project.root,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-3000:]
    jobs = [line.split(": ", 1)[1] for line in text.splitlines() if line.startswith("Job ") and ": " in line]
    return Counter(jobs), text


@pytest.mark.parametrize("change", TABLE, ids=lambda change: change.name)
def test_a_change_reruns_exactly_its_jobs(own, graph, change):
    for edit in change.edits:
        own.edit(*edit)
    change.done(own)
    study = Graph(Plan(load("digits", own.root))) if change.planned_after else graph

    jobs, text = planned(own, *change.options)

    assert jobs == study.downstream(change.wanted)
    assert change.told in text
    assert planned(own, *change.options)[0] == jobs, "a plan changes nothing"


def test_the_table_is_about_a_study_of_many_jobs(graph):
    assert len(graph.jobs) >= 100
    assert all(graph.downstream(change.wanted) for change in TABLE if change.edits and "a constant" in change.name)


def test_the_files_of_a_removed_entry_are_listed_by_gc_and_not_touched(own, capsys, monkeypatch):
    removed = next(change for change in TABLE if change.name == "an entry removed")
    for edit in removed.edits:
        own.edit(*edit)
    monkeypatch.chdir(own.root)

    collecting.collect("digits", limit_gb=20, delete=False)

    listed = {line for line in capsys.readouterr().out.splitlines() if line.startswith("data/")}
    left = {path.relative_to(own.root).as_posix() for path in (own.root / "data").rglob("margin_pgd.safetensors")}
    assert left
    assert listed == left


def test_planning_takes_at_most_four_seconds_per_300_jobs_beyond_snakemakes_start(bare, tmp_path):
    """Processor time, so that what else runs here does not count. The goal is 3 s, which the study met when it was half as large."""
    shutil.copytree(bare.root, tmp_path / "many")
    project = type(bare)(tmp_path / "many")
    graph = Graph(Plan(load("digits", project.root)))
    stand_in(project.root, graph)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/Snakefile").write_text("rule all:\n    output: 'x'\n    shell: 'touch x'\n")
    planned(project)

    ours, theirs = (processor_time(folder) for folder in (project.root, tmp_path / "empty"))

    assert len(graph.jobs) >= 300
    assert (ours - theirs) * 300 / len(graph.jobs) <= 4.0, (
        f"{ours:.1f} s for {len(graph.jobs)} jobs, {theirs:.1f} s for none"
    )


def processor_time(folder):
    before = os.times()
    line = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "all"]
    subprocess.run(line, cwd=folder, capture_output=True, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
