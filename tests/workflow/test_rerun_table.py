"""One table of changes to a study: exactly which tasks each computes, and which jobs Snakemake starts for it.

Nothing is computed here: the result of a task is its key, so what follows from a task changes with it. A finished study has
the keys of all its tasks in the store. What a change computes are the tasks whose keys are new.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

FGSM, PGD, ENERGY = (f"src/touchstone/{name}.py" for name in ("attacks/fgsm", "attacks/pgd", "detectors/energy"))
PARAMS = "src/touchstone/papers/common.yaml"
FAMILY = "  pgd_*: {use: pgd, eps: [0.02, 0.05, 0.1, 0.15, 0.2, 0.3]}\n"
KEYS = """
import json, sys
from pathlib import Path
from touchstone import digests
from touchstone.pipeline.planning.parts import FOLDER
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import name_of
from touchstone.provenance.store import key_of
from touchstone.settings.study import load

plan = Plan(load("digits"))
written = plan.write(Path("requirements.lock") if "lock" in sys.argv else None)
keys, jobs = {}, {}
waiting = {f"{rule}/{name}": json.loads((FOLDER / f"{digest}.json").read_bytes()) for (rule, name), digest in written.items()}
while waiting:
    for name in [name for name, job in waiting.items() if not waiting.keys() & set(job["inputs"])]:
        job = waiting.pop(name)
        for task in job["tasks"]:
            roles = {role: [files] if isinstance(files, str) else files for role, files in task["inputs"].items()}
            keys[task["output"]] = key_of(task["step"], task["code"], task["settings"], roles, keys.get)
        digest = digests.sha256(digests.canonical({name: value for name, value in job.items() if name != "inputs"}).encode())
        jobs[name] = {"plan": digest, "inputs": job["inputs"], "uses": digests.canonical(job["tasks"])}
print(json.dumps({"keys": {name_of(path): [key, plan.tasks[path].step] for path, key in keys.items()}, "jobs": jobs}))
"""


@dataclass(frozen=True)
class Study:
    """What a study computes: {name of an artefact: its key}, the step of each, and its jobs."""

    keys: dict[str, str]
    steps: dict[str, str]
    jobs: dict[str, dict]

    def computed_after(self, before: "Study") -> set[str]:
        """The artefacts that are computed in a folder whose store holds what the study computed before."""
        stored = set(before.keys.values())
        return {name for name, key in self.keys.items() if key not in stored}

    def started_after(self, before: "Study") -> set[str]:
        """The jobs whose plan is another; Snakemake starts them, and all that read them."""
        return {name for name, job in self.jobs.items() if before.jobs.get(name, {}).get("plan") != job["plan"]}


def study_of(project, *words) -> Study:
    own = replace(project, environment={"PYTHONPATH": "src"})
    answer = json.loads(own.forked(["-c", KEYS, *words]).stdout)
    named = answer["keys"].items()
    return Study({n: key for n, (key, _) in named}, {n: step for n, (_, step) in named}, answer["jobs"])


@pytest.fixture(scope="module")
def before(bare):
    return study_of(bare)


@dataclass(frozen=True)
class Change:
    """Edits as (file, old, new); and the artefacts that they compute, before all that is made from these."""

    name: str
    edits: tuple = ()
    computes: Callable[[str, str], bool] = lambda name, step: False


def ends(*words):
    return lambda name, step: name.endswith(words)


def about(*words):
    return lambda name, step: any(word in name for word in words)


TABLE = [
    Change("nothing"),
    Change(
        "all that changes no number",
        (
            ("src/touchstone/attacks/adversary/losses.py", "\nfrom __future__", "\n# a comment in a shared module\nfrom __future__"),
            (FGSM, "The fast gradient sign method (FGSM).", "Another word for it."),
            (FGSM, "moved = images + eps * gradient.sign()", "moved = (\n                images + eps * gradient.sign()\n            )"),
            ("src/touchstone/attacks/margins/_hyperplanes.py", "\nfrom touchstone", "\nUNUSED = 1\nfrom touchstone"),
            ("requirements.lock", "\ntorch==", "\n# resolved again\ntorch=="),
            (PARAMS, "energy: {use: energy}", "energy: {use: energy, temperature: 1.0}"),  # its default
            (PARAMS, "fgsm: {use: fgsm, eps: 0.1}", "fgsm: {use: fgsm, eps: 1/10}"),
        ),
    ),
    Change("a setting of one attack", ((PARAMS, FAMILY, FAMILY + "  pgd_10: {steps: 41}\n"),), ends("/pgd_10")),
    Change("a setting of a detector", ((PARAMS, "energy: {use: energy}", "energy: {use: energy, temperature: 2}"),), about("/energy", "+energy@")),
    Change("a default", ((ENERGY, "PositiveFloat = 1.0", "PositiveFloat = 2.0"),), about("/energy", "+energy@")),
    Change("what no job runs", (("src/touchstone/commands/job.py", "return 0", "return 0 + 0"),)),
    Change("how a study is planned", (("src/touchstone/pipeline/planning/plan.py", "waiting = [self.layout.page]", "waiting = [self.layout.page] + []"),)),
    Change("a rule renamed", (("src/touchstone/pipeline/planning/parts.py", '"measure", "detect"', '"gauge", "detect"'), ("src/touchstone/pipeline/planning/layout.py", '"measure"), str(net)', '"gauge"), str(net)'), ("src/touchstone/pipeline/planning/layout.py", '_artefact("measure"', '_artefact("gauge"'))),
    Change("attacks in another job", (("src/touchstone/pipeline/planning/layout.py", 'else "attack"), examples', 'else "defend"), examples'),)),
]  # fmt: skip


@pytest.mark.parametrize("change", TABLE, ids=lambda change: change.name)
def test_a_change_computes_exactly_its_tasks_and_what_is_made_from_them(bare, before, tmp_path, change):
    if not change.edits:
        assert not study_of(bare).computed_after(before)
        return
    own = bare.copy(tmp_path / "own")
    for edit in change.edits:
        own.edit(*edit)

    after = study_of(own)

    wanted = {name for name in after.keys if change.computes(name, after.steps[name])}
    expected = closure(after, wanted)
    assert without_report(after, after.computed_after(before)) == without_report(after, expected)


def without_report(study, names):
    return {name for name in names if study.steps[name] != "report"}


def closure(study, wanted):
    """The artefacts, and all that are made from them."""
    made_from = {}
    for job in study.jobs.values():
        for task in json.loads(job["uses"]):
            files = [
                file for files in task["inputs"].values() for file in ([files] if isinstance(files, str) else files)
            ]
            made_from[short(task["output"])] = {short(file) for file in files}
    found = set(wanted)
    while more := {name for name, read in made_from.items() if read & found} - found:
        found |= more
    return found


def short(path):
    parts = path.split("/", 4)
    return parts[4].rpartition(".")[0] if parts[0] == "results" else path.removeprefix("data/")


def test_a_job_is_started_if_and_only_if_its_plan_is_another(bare, before, tmp_path):
    own = bare.copy(tmp_path / "own")
    own.edit(PARAMS, FAMILY, FAMILY + "  pgd_10: {steps: 41}\n")

    started = study_of(own).started_after(before)

    assert "attack/cnn.0" in started
    assert {job.partition("/")[0] for job in started} == {
        "attack",
        "evaluate",
        "report",
    }  # tables hold settings of attacks


def test_another_torch_in_the_lock_computes_all_but_raw_files_under_conda(bare, tmp_path):
    own = bare.copy(tmp_path / "own")
    locked = study_of(own, "lock")
    own.edit("requirements.lock", "\ntorch==2", "\ntorch==3")

    computed = study_of(own, "lock").computed_after(locked)

    assert {locked.steps[name] for name in locked.keys.keys() - computed} == {"fetch"}
