"""Sets cut into shards: which jobs that makes, equal bytes, and that a shard that is gone is remade alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import planned_outputs
from touchstone.pipeline.auditing import audit
from touchstone.pipeline.planning.plan import Plan, digests_of
from touchstone.pipeline.planning.shards import shard_of
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.addresses import Address, files_of
from touchstone.pipeline.settings.study import Study, load

ROOT = Path(__file__).parents[2]
SHARDS = 3
TESTED = ("digits_test", "uniform")  # the group `tested` of the tiny study
DATA = "data/tiny"
TARGETS = [
    f"{DATA}/{address}"
    for address in (
        "attacked/digits_test/cnn.0/pgd.safetensors",
        "attacked/uniform/cnn.0+msp@0.05/score.safetensors",  # images of no class
        "attacked/digits_test/cnn.0+msp@0.05/score.safetensors",  # on a network behind a detector
        "translated/digits_test/cnn.0/pgd/unet.0.safetensors",
        "outputs/cnn.0/tested.zip#digits_test",
        "outputs/cnn.0/tested_plain/cnn.0.zip#digits_test/cnn.0/pgd",
        "outputs/cnn.0/tested_plain_translating/cnn.0/0.zip#digits_test/cnn.0/pgd/unet.0",
        "outputs/routed.0/tested.zip#digits_test",
        "margins/cnn.0/fab/tested.zip#digits_test",
    )
]
FILES = files_of(TARGETS)


def cut(study, shards, names=TESTED):
    entries = {name: study["examples"][name] | {"shards": shards} for name in names}
    return Plan(Study(study.name, study.settings | {"examples": study["examples"] | entries}))


def jobs(plan):
    return {(rule.name, *wildcards.values()): plan.tasks(rule, **wildcards) for rule, wildcards in plan.jobs()}


# --- the plan -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole():
    return Plan(load("tiny", ROOT))


@pytest.fixture(scope="module")
def plan(whole):
    return cut(whole.study, SHARDS)


def test_one_shard_is_no_shards(whole):
    one = cut(whole.study, 1)

    assert {name: digests_of(tasks) for name, tasks in jobs(one).items()} == {
        name: digests_of(tasks) for name, tasks in jobs(whole).items()
    }
    assert not one.rules_of("cut") + one.rules_of("gather")


def test_each_job_on_a_cut_set_becomes_one_per_shard_and_one_that_gathers(whole, plan):
    before, after = jobs(whole), jobs(plan)

    on_cut = {
        name: tasks
        for name, tasks in before.items()
        if tasks[0].step in ("attack", "translate", "infer", "measure") and "_tested" in name[0]
    }
    expected = {(*name, str(shard)) for name in on_cut for shard in range(SHARDS)} | {("cut_tested",)}
    read = {file for tasks in after.values() for task in tasks for file in task.input_files}
    expected |= {
        (f"gather_{name[0]}", *name[1:]) for name, tasks in on_cut.items() if any(task.output in read for task in tasks)
    }
    assert set(after) - set(before) == expected
    assert set(before) - set(after) == set(on_cut)


def test_what_reads_the_gathered_files_is_planned_as_without_shards(whole, plan):
    before, after = jobs(whole), jobs(plan)

    same = [name for name in after if name in before and name[0] != "report"]  # which shows the settings

    assert {name[0].split("_")[0] for name in same} >= {"prepare", "train", "fit", "score", "evaluate"}
    assert all(digests_of(before[name]) == digests_of(after[name]) for name in same)


def test_a_shard_reads_the_shard_of_its_set_and_not_the_set(plan):
    (attacked,) = [t for t in plan.tasks(plan.rules["attack_tested_plain"], victim="cnn.0", shard="2")
                   if t.output.endswith("digits_test/cnn.0/pgd/2.safetensors")]  # fmt: skip
    (inferred,) = [t for t in plan.tasks(plan.rules["infer_tested_plain"], net="cnn.0", victim="cnn.0", shard="2")
                   if t.output.endswith("digits_test/cnn.0/pgd/2.safetensors")]  # fmt: skip

    assert attacked.inputs["examples"] == f"{DATA}/shards/examples/digits_test/2.safetensors"
    assert (
        inferred.inputs["examples"] == attacked.output == f"{DATA}/shards/attacked/digits_test/cnn.0/pgd/2.safetensors"
    )


def test_every_rules_outputs_are_those_of_its_tasks_and_it_is_found_by_each_of_them(plan):
    planned_outputs.check(plan)
    for rule, wildcards in plan.jobs():
        outputs = [pattern.format(**wildcards) for pattern in plan.outputs(rule)]

        assert all(plan.maker(output) == (rule, wildcards) for output in outputs), rule.name


def test_a_shard_that_is_not_there_is_refused_in_words(bare, tmp_path):
    project = sharded(bare, tmp_path / "project")

    done = project.snakemake(
        "-n", "--cores", "1", f"{DATA}/shards/outputs/cnn.0/tested/uniform/3.safetensors", check=False
    )

    assert "no shard called 3 in this study" in done.stdout + done.stderr


# --- the bytes ----------------------------------------------------------------------------------------------------


def sharded(bare, folder):
    """A copy of the repository in which the tiny study has small batches and sets of three shards."""
    shutil.copytree(bare.root, folder)
    project = replace(bare, root=folder)
    small_batches(project)
    cut_sets(project)
    return project


def small_batches(project):
    project.edit("workflow/studies/tiny.yaml", "{title: Tiny, pdf: false}", "{title: Tiny, pdf: false, batch_size: 16}")


def cut_sets(project):
    for end in ("digits_test: {limit: 60}", "uniform: {count: 40}"):
        project.edit("workflow/studies/tiny.yaml", end, f"{end[:-1]}, shards: {SHARDS}}}")


def run(project, *options):
    return replace(project, environment={"TOUCHSTONE_CACHE": "off"}).snakemake("--cores", "2", *options, *FILES)


def fill(project):
    small_batches(project)
    run(project)
    shutil.copytree(project.root / DATA, project.root / "whole")
    cut_sets(project)
    run(project)


@pytest.fixture(scope="session")
def gathered(made_once, tiny):
    """The targets made without shards, kept in the folder `whole`, and then again with shards."""
    return made_once("gathered", fill, start=tiny)


@pytest.fixture
def own(gathered, tmp_path):
    shutil.copytree(gathered.root, tmp_path / "own")
    return replace(gathered, root=tmp_path / "own")


@pytest.mark.parametrize("target", TARGETS)
def test_the_gathered_artefact_is_that_of_one_job_byte_by_byte(gathered, target):
    kept = gathered.root / target.replace(DATA, "whole")
    file = Address.parse(target).file

    assert sidecar_files.read_artefact(gathered.root / target) == sidecar_files.read_artefact(kept)
    assert (gathered.root / file).read_bytes() == (gathered.root / file.replace(DATA, "whole")).read_bytes()
    assert len(list((gathered.root / shard_of(target, 0)).parent.glob("*.safetensors"))) == 3


def test_a_run_on_shards_has_nothing_left_to_do(gathered):
    assert not gathered.planned(*FILES)


GONE = {
    "attacked/digits_test/cnn.0/pgd/1": {
        "Attack cnn.0: tested_plain, shard 1",
        "Gather attack tested_plain of cnn.0",
        "Run cnn.0: tested_plain, shard 1",
        "Gather infer tested_plain of cnn.0 cnn.0",
        "Translate with seed 0: tested_plain_translating, shard 1",
        "Gather translate tested_plain_translating of cnn.0 0",
        "Run cnn.0: tested_plain_translating, shard 1",
        "Gather infer tested_plain_translating of cnn.0 cnn.0 0",
    },
    "outputs/cnn.0/tested/digits_test/2": {"Run cnn.0: tested, shard 2", "Gather infer tested of cnn.0"},
    "margins/cnn.0/fab/tested/uniform/0": {
        "Measure margins of cnn.0 by fab: tested, shard 0",
        "Gather measure tested of cnn.0 fab",
    },
}


@pytest.mark.parametrize("shard", GONE)
def test_a_shard_that_is_gone_is_made_again_alone_and_what_is_made_of_it(own, shard):
    (own.root / f"{DATA}/shards/{shard}.safetensors").unlink()

    assert set(own.planned(*FILES)) == GONE[shard]


def test_a_shard_that_failed_is_made_again_with_the_same_bytes_and_the_others_stay(own):
    shards = own.root / f"{DATA}/shards/margins/cnn.0/fab/tested/digits_test"
    others = {path: path.stat().st_mtime_ns for path in shards.iterdir() if not path.name.startswith("1.")}
    for name in ("1.safetensors", "1.safetensors.prov.json"):  # as Snakemake leaves a job that failed
        (shards / name).unlink()

    run(own)

    assert {path: path.stat().st_mtime_ns for path in others} == others
    gathered_again = own.root / f"{DATA}/margins/cnn.0/fab/tested.zip"
    assert gathered_again.read_bytes() == (own.root / "whole/margins/cnn.0/fab/tested.zip").read_bytes()


def test_audit_follows_a_gathered_file_through_its_shards_and_names_one_that_was_changed(own, monkeypatch):
    monkeypatch.chdir(own.root)
    file, shard = TARGETS[-1], f"{DATA}/shards/margins/cnn.0/fab/tested/digits_test/1.safetensors"
    assert not audit.audit_file(file, quiet=True)

    data = bytearray((own.root / shard).read_bytes())
    data[-1] ^= 1
    (own.root / shard).write_bytes(data)

    assert shard in {finding.file for finding in audit.audit_file(file, quiet=True)}


def test_more_shards_than_batches_end_the_run_in_words_before_any_job_on_a_shard(own):
    own.edit("workflow/studies/tiny.yaml", "limit: 60, shards: 3", "limit: 60, shards: 5")
    own.edit("workflow/studies/tiny.yaml", "count: 40, shards: 3", "count: 40, shards: 5")

    done = own.snakemake("--cores", "1", FILES[-1], check=False)

    assert done.returncode != 0
    log = (own.root / "logs/tiny/cut_tested.log").read_text()
    assert "60 images are 4 batches of study.batch_size 16, too few for 5 shards; shards may be from 1 to 4" in log
    assert "Traceback" not in log
