"""After a clone and a checkout the plan is right: nothing for what is current, exactly the changed for the rest."""

import json
import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path

from touchstone.__main__ import main
from touchstone.digests import folder_digest
from touchstone.pipeline.orchestration import restore, restored, snakemake_run
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.settings.study import load


def forget(project):
    """What a clone lacks: Snakemake's records; and what a checkout spoils: every time."""
    shutil.rmtree(project.root / ".snakemake")
    for place, path in enumerate(sorted((project.root / "data").rglob("*"))):
        if path.is_file():
            os.utime(path, (1_600_000_000 + 7919 * place % 5000,) * 2)


def test_a_clone_with_its_files_has_nothing_to_do(copied):
    forget(copied)

    assert not copied.planned()


def test_after_a_clone_one_setting_reruns_exactly_its_jobs(copied):
    forget(copied)
    copied.edit("workflow/studies/tiny.yaml", "fab: {use: fab, steps: 2}", "fab: {use: fab, steps: 3}")

    assert set(copied.planned()) == {
        "Measure margins of cnn.0 by fab: tested", "Evaluate margins", "Write the report",
    }  # fmt: skip


def test_a_pulled_file_that_does_not_match_its_sidecar_is_made_again(copied):
    forget(copied)
    path = copied.root / "data/tiny/margins/cnn.0/fab/tested.zip"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    assert "Measure margins of cnn.0 by fab: tested" in copied.planned()
    assert path.is_file(), "a plan removes nothing"


def test_a_missing_file_in_the_middle_is_made_again_though_the_report_is_there(copied):
    (copied.root / "data/tiny/checkpoints/cnn_aloe.0.safetensors").unlink()

    assert "Train cnn_aloe.0" in copied.planned()


def test_what_is_downstream_of_a_removed_file_is_made_again_with_it(copied):
    """As after a job that failed: Snakemake removed its outputs, and takes what was made from them for current."""
    for path in (copied.root / "data/tiny/attacked/digits_test/cnn.0+msp@0.05").iterdir():
        path.unlink()

    planned = set(copied.planned())

    assert {
        "Attack cnn.0: tested_aware_all_detectors",
        "Run cnn.0: tested_aware_all_detectors",
        "Evaluate evasion",
    } <= planned
    assert not [job for job in planned if job.startswith(("Train", "Prepare", "Fit", "Translate"))]


def test_after_a_failed_job_the_plan_holds_all_that_was_planned_before(copied):
    copied.edit(
        "src/touchstone/attacks/fgsm.py", "    with frozen(model)", "    raise ValueError\n    with frozen(model)"
    )
    before = copied.planned()

    done = copied.snakemake("--cores", "1", "data/tiny/attacked/digits_test/cnn.0/fgsm.safetensors", check=False)

    assert done.returncode == 1
    assert "Attack cnn.0: tested_plain" in before
    assert copied.planned() == before


def test_files_from_the_future_are_planned_by_what_is_in_them(copied):
    for path in (copied.root / "data").rglob("*"):
        os.utime(path, (4_000_000_000,) * 2)

    assert not copied.planned()

    assert (copied.root / "data/tiny/checkpoints/cnn.0.safetensors").stat().st_mtime < 4_000_000_000


def test_restored_records_are_those_that_snakemake_writes(tiny):
    """Everything that Snakemake's triggers read; where they agree, a restore writes nothing."""
    done = restore.restore(Plan(load("tiny", tiny.root)), tiny.root)

    assert done == restored.Restored(written=0, damaged=[])


def test_a_record_has_every_field_that_snakemake_writes(copied, tiny):
    plan = Plan(load("tiny", copied.root))
    theirs = json.loads(restore._path(tiny.root, "data/tiny/metrics/margins.csv").read_text())
    shutil.rmtree(copied.root / ".snakemake")

    restore.restore(plan, copied.root)

    ours = json.loads(restore._path(Path(copied.root), "data/tiny/metrics/margins.csv").read_text())
    newer = {"external_jobid"} if version("snakemake").startswith("9.3.") else set()  # 9.3 lacks the field
    assert ours.keys() == theirs.keys() | newer
    assert ours["record_format_version"] == theirs["record_format_version"]
    digests = ours["input_checksums"].values()
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests), "Snakemake 9.3 knows no prefix"


CHECKPOINT = "data/tiny/checkpoints/cnn.0.safetensors"


def forge(project, file):
    """Change a file, and give it a sidecar that fits."""
    path = project.root / file
    content = sidecar_files.read_sidecar(path)
    del content["artefact"]
    sidecar_files.write_with_sidecar(path, path.read_bytes()[:-1] + b"x", content)


def test_a_forged_checkpoint_is_named_before_anything_is_built_on_it(copied, monkeypatch, capsys):
    forge(copied, CHECKPOINT)
    monkeypatch.chdir(copied.root)
    before = []  # what a run has said when it starts Snakemake
    monkeypatch.setattr(snakemake_run, "_run", lambda *_: before.append(capsys.readouterr().err) or 1)

    assert main(["run", "tiny", "--cores", "2"]) == 1

    (line,) = [line for line in before[0].splitlines() if CHECKPOINT in line and "changed after" in line]
    assert re.search(r"changed after \d+ files were created from it, such as data/tiny/\S+", line)
    assert "delete it and run again" in line
    assert "touchstone audit tiny" in line


def test_a_file_that_was_changed_is_named_once_and_what_was_made_of_files_that_fit_is_not(copied):
    forge(copied, CHECKPOINT)

    told = restore.restore(Plan(load("tiny", copied.root)), copied.root).messages()

    assert len(told) == 1
    assert told[0].startswith(f"{CHECKPOINT}: its bytes changed after ")


def test_of_many_changed_files_five_are_named_and_the_rest_counted(copied):
    for path in sorted((copied.root / "data/tiny/metrics").glob("*.csv"))[:8]:
        forge(copied, path.relative_to(copied.root).as_posix())

    told = restore.restore(Plan(load("tiny", copied.root)), copied.root).messages()

    assert len(told) == restored.MOST_NAMED + 1
    assert told[-1].startswith("3 more files changed after ")


def test_a_file_that_is_only_missing_is_not_called_changed(copied):
    (copied.root / CHECKPOINT).unlink()
    shutil.rmtree(copied.root / "data/raw/sklearn_digits")

    assert restore.restore(Plan(load("tiny", copied.root)), copied.root).messages() == []


def test_forged_raw_files_are_named_like_any_other(copied):
    folder = copied.root / "data/raw/sklearn_digits"
    content = sidecar_files.read_sidecar(folder)
    del content["artefact"]
    (folder / "digits.csv").write_bytes(b"0,1\n")
    sidecar_files.write_sidecar(folder, folder_digest(folder), content)

    (told,) = restore.restore(Plan(load("tiny", copied.root)), copied.root).messages()

    assert told.startswith("data/raw/sklearn_digits: its bytes changed after ")


def test_an_altered_table_and_a_missing_figure_of_the_report_are_made_again(copied):
    table, figure = copied.root / "reports/tiny/claims.csv", next((copied.root / "reports/tiny/figures").glob("*.svg"))
    before = table.read_bytes()
    table.write_bytes(before.replace(b"S1-13", b"S1-14"))
    figure.unlink()

    messages = " ".join(restore.restore(Plan(load("tiny", copied.root)), copied.root).messages())
    assert "reports/tiny/claims.csv" in messages and f"figures/{figure.name}" in messages
    assert set(copied.planned()) == {"Write the report"}
    copied.snakemake("--cores", "1")
    assert table.read_bytes() == before and figure.exists()
