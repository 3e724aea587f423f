"""Exactly the jobs that a change calls for, and within them exactly the tasks: on the finished tiny study."""

import contextlib
import json
import re
import shutil
from dataclasses import replace

import pytest

import forks
from projects import write_study
from touchstone import digests
from touchstone.commands._reasons import reasons
from touchstone.pipeline.orchestration.stored_tasks import stored_tasks
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.provenance.job_folders import name_of
from touchstone.provenance.store import Store, record_path
from touchstone.settings.study import load

OTHER_EPS = {"attacks": {"fgsm_05": {"eps": 0.09}}}
MAKES_IMAGES_WITH_PGD = {"Train unet.0", "Train gan_unet.0", "Attack cnn.0"}
TRAINS_WITHOUT_PGD = {"Train cnn.0"}  # cnn_aloe measures its accuracy under PGD after each epoch
NETWORK = "results/tiny/train/cnn.0/networks/cnn.0.safetensors"


def computed(project):
    """{rule/name: how many tasks it computed} of the jobs of the last run, by their logs."""
    found = {}
    for path in (project.root / "logs/tiny").rglob("*.log"):
        for rule, name, number in re.findall(
            r"^(\w+) (\S+): (\d+) computed, \d+ in the store$", path.read_text(), re.M
        ):
            found[f"{rule}/{name}"] = int(number)
    return found


def stored(project):
    """The names of the artefacts in the store, each with its key."""
    records = (project.root / "data/tiny").glob("*/*.json")
    return {(json.loads(path.read_text())["name"], path.stem) for path in records}


def run(project, *arguments, check=True):
    """Run the study with fresh logs; return what was said and {job: tasks that it computed}."""
    shutil.rmtree(project.root / "logs")
    done = project.snakemake("--cores", "2", *arguments, check=check)
    return done.stdout + done.stderr, computed(project)


def root(project):
    return (project.root / "reports/tiny/ROOT").read_text()


def behind(before, after):
    """The names of the artefacts of a plan whose task is another than before, and of all that are made from these."""
    found = {path for path, task in after.tasks.items() if before.tasks.get(path) != task}
    while more := {path for path, task in after.tasks.items() if found & {*task.input_files}} - found:
        found |= more
    return {name_of(path) for path in found if after.tasks[path].step != "report"}


# --- which jobs are started: plans only -------------------------------------------------------------------------------


def test_a_finished_study_has_nothing_to_do_in_another_folder(copied):
    assert not copied.planned()


def test_what_changes_no_number_reruns_nothing(copied):
    """A comment, a docstring, layout, a default written out, a moved function, times of files, another study."""
    copied.edit(
        "src/touchstone/attacks/pgd.py",
        '"""Projected gradient descent (PGD)."""',
        '"""Another word."""\n# a comment\n\n',
    )
    copied.edit("src/touchstone/pipeline/steps/attack.py", "def attack(", "# why not\ndef attack(")
    write_study(copied.root, "tiny", change={"margins": {"fab": {"restarts": 1}}})
    write_study(copied.root, "other", change={"attacks": {"pgd": {"eps": 0.2}}})
    (copied.root / "params.yaml").touch()
    (copied.root / NETWORK).touch()

    assert not copied.planned()


def test_a_constant_in_one_attack_reruns_what_uses_it_and_what_is_downstream_and_no_clean_training(copied):
    copied.edit(
        "src/touchstone/attacks/pgd.py",
        "size = resolve_step_size(step_size, eps, steps)",
        "size = resolve_step_size(step_size, eps, steps + 1)",
    )

    planned = copied.planned()

    assert set(planned) >= MAKES_IMAGES_WITH_PGD | {"Evaluate fgsm", "Write the report"}
    assert not set(planned) & TRAINS_WITHOUT_PGD
    assert not [job for job in planned if job.startswith(("Fetch", "Prepare"))]


def test_a_setting_reruns_just_the_jobs_that_read_it_and_what_is_downstream(copied):
    write_study(copied.root, "tiny", change={"margins": {"fab": {"steps": 3}}})

    planned = set(copied.planned())

    assert planned >= {"Measure outputs and margins of cnn.0", "Evaluate margin_consistency", "Write the report"}
    assert not [job for job in planned if not job.startswith(("Measure", "Evaluate", "Write"))]


def test_a_changed_static_network_retrains_what_is_attacked_on_it(copied):
    write_study(copied.root, "tiny", change={"classifiers": {"cnn": {"epochs": 2}}})

    planned = set(copied.planned())

    assert planned >= {"Train cnn.0", "Train cnn_ensemble.0"}
    assert not planned & {"Train cnn_aloe.0", "Train cnn_aloe.1"}


def test_how_often_static_networks_are_drawn_is_asked_of_one_training_alone(copied):
    write_study(copied.root, "tiny", change={"classifiers": {"cnn_ensemble": {"static_share": 0.9}}})

    planned = set(copied.planned())

    assert {job for job in planned if not job.startswith("Evaluate")} == {
        "Train cnn_ensemble.0", "Measure outputs and margins of cnn_ensemble.0", "Write the report",
    }  # fmt: skip


@pytest.mark.parametrize(
    "part", ["README.md", "metrics.csv.gz", "report.html", "claims.csv", "ROOT", "figures", "report.html.prov.json"]
)
def test_a_missing_part_of_the_report_is_written_again(copied, part):
    path = copied.root / "reports/tiny" / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert set(copied.planned()) == {"Write the report"}


def test_a_missing_folder_of_tables_is_remade_and_with_it_the_report(copied):
    shutil.rmtree(copied.root / "results/tiny/evaluate/margin_consistency")

    assert set(copied.planned()) == {"Evaluate margin_consistency", "Write the report"}


def test_a_missing_folder_of_any_job_is_remade_though_all_that_was_made_from_it_is_there(copied):
    shutil.rmtree(copied.root / "results/tiny/train/cnn_aloe.1")

    assert copied.planned()["Train cnn_aloe.1"] == 1


def test_a_committed_report_alone_does_not_count_as_a_finished_study(copied):
    for folder in (".snakemake", "data", "results", "logs"):
        shutil.rmtree(copied.root / folder)

    planned = copied.planned()

    assert set(planned) >= {"Fetch sklearn_digits", "Train cnn.0", "Write the report"}


def test_the_default_profile_is_picked_up_by_a_plain_snakemake(tiny):
    done = tiny.snakemake("--dry-run", "--cores", "1")

    assert "workflow specific profile profiles/default" in done.stdout + done.stderr


def test_a_rule_can_be_the_last_and_its_resources_can_be_set(copied):
    shutil.rmtree(copied.root / "results")
    networks = {
        f"{verb} {network}" for verb in ("Train", "Attack") for network in ("cnn.0", "cnn_aloe.0", "cnn_aloe.1")
    }
    expected = {"Prepare the example sets", *networks}

    assert set(copied.planned("--until", "attack", "--set-resources", "attack:runtime=8")) == expected


def test_wrong_settings_stop_a_plain_snakemake_before_any_job(copied):
    write_study(copied.root, "tiny", change={"attacks": {"pgd": {"stepz": 5}}})

    done = copied.snakemake("--cores", "1", check=False)

    assert done.returncode != 0
    assert "change.attacks.pgd.stepz: not a setting of attacks/pgd.py" in done.stdout + done.stderr
    assert "Did you mean steps?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "studdy=tiny",
            "--config studdy=: there is no such setting; use study, recompute, container. Did you mean study?",
        ),
        ("study=", "--config study=: no study is named; for example study=digits"),
        ("study=tinny", "no study called tinny"),
        ("study=0", "no study called 0"),
        ("study=[tiny]", "no study called ['tiny']"),
        (
            "recompute=atack",
            "--config recompute=atack: there is no such rule; use fetch, prepare, train, attack, translate, measure, detect, defend, evaluate, report. Did you mean attack?",
        ),
    ],
)
def test_a_wrong_value_of_config_is_one_sentence(bare, words, told):
    done = bare.forked(["-m", "snakemake", "--nocolor", "--dry-run", "--cores", "1", "--config", words], check=False)

    assert done.returncode != 0
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


# --- which tasks are computed -----------------------------------------------------------------------------------------


def test_after_all_but_the_store_is_gone_a_run_computes_nothing_and_ends_in_the_same_digest(copied):
    before, kept = root(copied), copied.digests("data/tiny")
    for folder in ("results", "reports/tiny", ".snakemake"):
        shutil.rmtree(copied.root / folder)

    _, tasks = run(copied)

    assert set(tasks) >= {"prepare/tiny", "train/cnn.0", "attack/cnn.0", "detect/cnn.0", "evaluate/fgsm"}
    assert {job for job, number in tasks.items() if number} == {"report/tiny"}  # no store keeps pages
    assert root(copied) == before
    assert copied.digests("data/tiny") == kept


def test_a_changed_attack_computes_it_and_what_follows_and_back_again_nothing(copied):
    with contextlib.chdir(copied.root):
        before, kept, digest = Plan(load("tiny")), stored(copied), root(copied)
        write_study(copied.root, "tiny", change=OTHER_EPS)
        after = Plan(load("tiny"))
        missing = [path for path in after.tasks if path not in stored_tasks(after, Store("tiny"))]
        why = list(reasons(after, missing))

    assert re.match(r"fgsm_05: eps is 0\.05, planned \S+ \(1 file\)", why[0]), why
    assert why[-1].startswith("made from what is computed (")
    _, tasks = run(copied)
    new = stored(copied) - kept

    assert {name for name, _ in new} == behind(before, after)
    assert "attacked/digits_test/cnn.0/fgsm_05" in {name for name, _ in new}
    assert tasks["attack/cnn.0"] == 1
    assert not [job for job in tasks if job.startswith(("fetch", "prepare", "train"))]

    write_study(copied.root, "tiny")
    _, tasks = run(copied)

    assert {job for job, number in tasks.items() if number} == {"report/tiny"}
    assert root(copied) == digest


DEEP = "[" * 200_000


def spoil(path, how):
    """Delete a file, put a folder in its place, or write into it."""
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how != "missing":
        path.write_text(how)


SIDECAR = "results/tiny/train/cnn.0/sidecar.json"
SPOILT = [
    *((SIDECAR, how) for how in ("missing", "a folder", "", DEEP, '{"members": {}}')),
    *((NETWORK, how) for how in ("missing", "a folder", "no bytes of a network")),
]


@pytest.mark.parametrize(("file", "how"), SPOILT, ids=lambda value: value[-15:])
def test_a_spoilt_folder_of_a_job_is_one_sentence_of_the_job_that_reads_it(copied, file, how):
    spoil(copied.root / file, how)
    write_study(copied.root, "tiny", change=OTHER_EPS)
    (words,) = (words for words in copied.jobs() if words[-1] == "results/tiny/attack/cnn.0")
    before = copied.digests("results/tiny/attack", "data/tiny")

    # As jobs have them: with other variables, this one would start again, with a fresh Python.
    variables = forks.VARIABLES | {"PYTHONPATH": str(copied.root / "src")}
    done = replace(copied, environment=variables).forked(words, check=False, server=forks.server())

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("touchstone: ") and file in done.stderr and done.stderr.count("\n") == 1
    assert done.stderr.endswith("Delete results/tiny/train/cnn.0 and run the command again.\n")
    assert copied.digests("results/tiny/attack", "data/tiny") == before


def write_into(path):
    """Write into a file and so into the store, which has the same file under another name."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


SPOILING = {
    "a sidecar deleted": lambda folder: (folder / "sidecar.json").unlink(),
    "a sidecar without records": lambda folder: (folder / "sidecar.json").write_text('{"members": {}}'),
    "a folder in the place of a network": lambda folder: spoil(folder / "networks/cnn.0.safetensors", "a folder"),
    "a network written into": lambda folder: write_into(folder / "networks/cnn.0.safetensors"),
}


@pytest.mark.parametrize("name", SPOILING)
def test_a_spoilt_folder_of_a_finished_study_is_named_and_made_again_by_the_next_run(copied, name):
    whole, folder = root(copied), "results/tiny/train/cnn.0"
    SPOILING[name](copied.root / folder)

    said, tasks = run(copied)

    assert said.count(f"{folder} was removed and is made again: ") == 1
    assert tasks["train/cnn.0"] == (name == "a network written into")  # else the store has it
    assert root(copied) == whole
    assert copied.planned() == {}


def test_a_report_that_another_was_copied_over_is_made_again_by_the_next_run(copied):
    whole, reports = root(copied), copied.root / "reports/tiny"
    page = reports / "report.html"
    (reports / "claims.csv").write_text("claim\n")
    assert "reports/tiny/report.html is made again: the bytes of claims.csv do not match its record" in run(copied)[0]
    assert root(copied) == whole

    page.write_text("<p>Another report, with a record of its own.")
    record = sidecar_files.read_sidecar(page)
    digest = digests.sha256(page.read_bytes())
    facts = {key: record[key] for key in record if key != "artefact"} | {"pages": record["pages"] | {page.name: digest}}
    sidecar_files.write_sidecar(page, digest, facts | {"pages": ["report.html"]})
    assert "is made again: its record is damaged" in run(copied)[0]

    page.write_text("<p>Another report, with a record of its own.")
    sidecar_files.write_sidecar(page, digest, facts)
    said = copied.snakemake("--cores", "2")  # with the logs of the run before
    assert "is made again: another was put in its place since the last run here" in said.stdout + said.stderr
    assert root(copied) == whole and copied.planned() == {}


@pytest.mark.parametrize("how", ["missing", DEEP, '{"artefact": "sha256:0"}'], ids=lambda how: how[:15])
def test_a_record_of_the_store_that_is_none_is_written_again(copied, how):
    kept, network = stored(copied), copied.root / NETWORK
    (result,) = (path for path in (copied.root / "data/tiny/train").iterdir() if path.samefile(network))
    spoil(record_path(result), how)
    shutil.rmtree(copied.root / "results/tiny/train/cnn.0")

    _, tasks = run(copied, "--until", "train")

    assert tasks["train/cnn.0"] == 1
    assert stored(copied) == kept
