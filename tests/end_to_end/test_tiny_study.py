"""The whole chain on the tiny study: what comes out, that it comes out again, and what happens to damaged files."""

import gzip
import shutil

import yaml

from touchstone.digests import SNAKEMAKE_MARK, file_digest
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import job_folders, sidecar_files
from touchstone.records import metric_tables
from touchstone.report import packing
from touchstone.settings.study import load


def test_two_runs_give_equal_bytes_whatever_the_cores(tiny, again):
    first, second = tiny.digests("data", "results", "reports"), again.digests("data", "results", "reports")
    names = {name for name in first if not name.endswith(SNAKEMAKE_MARK)}  # it did not run `again`

    assert names == {name for name in second if not name.endswith(SNAKEMAKE_MARK)}
    assert [name for name in names if first[name] != second[name]] == []


def test_jobs_share_a_warm_process_and_those_that_ran_alone_did_not(tiny, again):
    """So the test before also says that bytes are equal with and without it."""
    plan, done = Plan(load("tiny", tiny.root)), {}
    with_torch = {key for key, job in plan.jobs.items() if any(task.runs_torch for task in job.tasks)}
    for name, project in (("tiny", tiny), ("again", again)):
        records = {(record["rule"], record["name"]): record for record in run_records.read(project.root / "logs/tiny")}
        assert records.keys() >= with_torch
        done[name] = {"touchstone.pipeline.jobs.warm" in records[key]["process"]["command"] for key in with_torch}

    assert done == {"tiny": {True}, "again": {False}}


def test_a_second_run_does_nothing(tiny):
    done = tiny.snakemake("--cores", "2")

    assert "Nothing to be done" in done.stdout + done.stderr


def test_every_artefact_matches_its_record_and_every_link_holds(tiny):
    folders = [path.parent for path in (tiny.root / "results/tiny").rglob(job_folders.SIDECAR)]

    assert len(folders) == len(Plan(load("tiny", tiny.root)).jobs) - 2  # raw files and the report lie elsewhere
    for folder in folders:
        assert sidecar_files.folder_problem(folder) == ""
        records = sidecar_files.read_folder(folder)
        files = {path for path in folder.rglob("*") if path.is_file()}
        assert {path.relative_to(folder).as_posix() for path in files} == {
            *records,
            job_folders.SIDECAR,
            SNAKEMAKE_MARK,
        }
        for name, record in records.items():
            assert file_digest(folder / name) == record["artefact"]
            for link in (link for links in record["inputs"].values() for link in links):
                assert sidecar_files.record_digest(tiny.root / link["file"]) == link["sidecar"]


def test_results_are_links_to_the_store_and_take_no_room_of_their_own(tiny):
    kept = {path.stat().st_ino for path in (tiny.root / "data/tiny").rglob("*")}
    results = list((tiny.root / "results/tiny").rglob("*.safetensors"))

    assert results and {path.stat().st_ino for path in results} <= kept


def test_sidecars_hold_no_clock_host_or_path_of_the_machine(tiny):
    for path in (tiny.root / "results/tiny").rglob(job_folders.SIDECAR):
        assert str(tiny.root) not in path.read_text()
        for record in sidecar_files.read_folder(path.parent).values():
            assert set(record) <= {
                "artefact", "step", "settings", "inputs", "code", "definitions", "packages", "python", "cpu", "device", "threads",
            }  # fmt: skip


def test_the_report_stands_alone_and_names_its_files(tiny):
    page = packing.unpacked((tiny.root / "reports/tiny/report.html").read_text())

    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    assert 'src="http' not in page
    assert "metrics/robustness" in page
    assert str(tiny.root) not in page


def test_snakemakes_own_report_has_page_tables_and_figures_under_their_categories_with_captions(copied):
    copied.snakemake("--report", "snakemake.html")

    text = (copied.root / "snakemake.html").read_text()
    captions = (
        "each published claim beside what was measured",
        "one row per measured number",
        "its caption, and the files",
    )
    for words in (*captions, "Figures", "Tables", "report.html", "claims.csv", "roc.svg"):
        assert words in text, words


def test_a_study_without_figures_gets_its_report(copied):
    file = copied.root / "src/touchstone/papers/gradient_detection/experiment.yaml"
    experiment = yaml.safe_load(file.read_text())
    del experiment["figures"], experiment["grades"]["smoke"]["change"]["figures"]
    file.write_text(yaml.safe_dump(experiment))

    copied.snakemake("--cores", "1")

    drawn = {path.name for path in (copied.root / "reports/tiny/figures").iterdir()}
    assert drawn == {SNAKEMAKE_MARK, "overview.svg"}  # the page's own picture of the papers


def test_the_metrics_table_reads_back(tiny):
    table = gzip.decompress((tiny.root / "reports/tiny/metrics.csv.gz").read_bytes())
    rows = metric_tables.decode(table).rows

    assert {row.evaluation for row in rows} >= {"robustness", "detection", "margins", "translation"}
    assert all(row.low is None or row.low <= row.value + 1e-9 for row in rows)


def test_altered_raw_files_are_refused_by_the_job_that_reads_them_and_fetched_again_once_deleted(copied):
    raw, set_ = (
        copied.root / "data/raw/sklearn_digits",
        copied.root / "results/tiny/prepare/tiny/examples/digits_test.safetensors",
    )
    whole = {path: path.read_bytes() for path in (raw / "digits.csv", set_)}
    (raw / "digits.csv").write_bytes(b"0,1\n")
    for folder in ("data/tiny/prepare", "results/tiny/prepare"):
        shutil.rmtree(copied.root / folder)

    refused = copied.snakemake("--cores", "2", "--until", "prepare", check=False)
    log = (copied.root / "logs/tiny/prepare.log").read_text()

    assert refused.returncode == 1
    assert log.startswith("touchstone: data/raw/sklearn_digits: its bytes do not match its record")
    assert log.endswith("Delete data/raw/sklearn_digits and run the command again.\n")
    assert not set_.exists()

    shutil.rmtree(raw)
    copied.snakemake("--cores", "2", "--until", "prepare")

    assert {path: path.read_bytes() for path in whole} == whole


def test_run_says_where_the_report_is_and_that_a_second_run_has_nothing_to_do(copied):
    done = copied.run(copied.touchstone("run", "tiny"))

    lines = done.stdout.strip().splitlines()
    assert "Nothing to do: nothing has changed. The report: reports/tiny/report.html" in lines
    assert lines[-1] == "More: touchstone show tiny"


def test_a_job_whose_code_was_edited_since_it_was_planned_refuses(copied):
    (words,) = (words for words in copied.jobs() if words[-1] == "results/tiny/evaluate/fgsm")
    shutil.rmtree(copied.root / "data/tiny/evaluate")
    copied.edit("src/touchstone/pipeline/steps/evaluate.py", "cannot do without what", "can never do without what")

    done = copied.run(copied.touchstone(*words[2:]), check=False)

    assert done.returncode == 1
    assert "its code is not the code that was planned; run the study again" in done.stderr
