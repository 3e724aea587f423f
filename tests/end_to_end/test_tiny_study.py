"""The whole chain on the tiny study: what comes out, that it comes out again, and what happens to damaged files."""

import gzip
import json
from collections import Counter

import pytest
import yaml

import pipeline_overhead
from touchstone.digests import SNAKEMAKE_MARK, file_digest
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.planning.steps import STEPS
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.settings.study import load
from touchstone.records import metric_tables
from touchstone.report import packing


def test_two_runs_give_equal_bytes_whatever_the_cores(tiny, again):
    first, second = tiny.digests("data", "reports"), again.digests("data", "reports")
    del first[f"reports/tiny/figures/{SNAKEMAKE_MARK}"]  # Snakemake did not run `again`

    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_jobs_share_a_warm_process_and_those_that_ran_alone_did_not(tiny, again, ran_alone):
    """So the test before also says that bytes are equal with and without it; all others of `again` ran in one process."""
    done = {}
    for name, project in (("tiny", tiny), ("again", again)):
        records = [r for r in run_records.read(project.root / "logs/tiny") if STEPS[r["step"]].torch]
        done[name] = {"touchstone.pipeline.jobs.warm_server" in record["process"]["command"] for record in records}
        alone = {tuple(r["outputs"]) for r in records}  # what ran beside others in one process left no record

    assert done == {"tiny": {True}, "again": {False}}
    chosen = [tasks for tasks in ran_alone if STEPS[tasks[0].step].torch]
    assert alone == {tuple(task.output for task in tasks) for tasks in chosen}
    assert {tasks[0].step for tasks in chosen} >= {"train", "attack", "infer", "translate", "measure", "fit", "score"}


def test_the_share_of_computing_counts_the_jobs_of_every_step(tiny, monkeypatch):
    monkeypatch.setattr(pipeline_overhead, "dry_run", lambda *_: None)  # both only take time
    monkeypatch.setattr(pipeline_overhead, "run_from_cache", lambda *_: None)

    lines = pipeline_overhead.share(tiny.root, "tiny", 2)["lines"]

    jobs = Counter(rule.step for rule, _ in Plan(load("tiny", tiny.root)).jobs())
    assert {line["step"]: line["jobs"] for line in lines} == jobs


def test_a_second_run_does_nothing(tiny):
    done = tiny.snakemake("--cores", "2")

    assert "Nothing to be done" in done.stdout + done.stderr


def test_every_artefact_matches_its_sidecar_and_every_link_holds(tiny):
    sidecars = sorted((tiny.root / "data/tiny").rglob("*.prov.json"))

    assert len(sidecars) > 40
    for path in sidecars:
        content = json.loads(path.read_text())
        assert file_digest(path.with_name(path.name.removesuffix(sidecar_files.SIDECAR))) == content["artefact"]
        records = content["members"].values() if "members" in content else [content]
        for link in (link for record in records for links in record["inputs"].values() for link in links):
            assert sidecar_files.record_digest(tiny.root / link["file"]) == link["sidecar"]


def test_sidecars_hold_no_clock_host_or_path_of_the_machine(tiny):
    for path in (tiny.root / "data/tiny").rglob("*.prov.json"):
        assert str(tiny.root) not in path.read_text()
        assert set(json.loads(path.read_text())) <= {
            "members", "records",
            "artefact", "step", "settings", "inputs", "code", "definitions", "packages", "python", "cpu", "device", "threads",
        }  # fmt: skip


def test_the_report_stands_alone_and_names_its_files(tiny):
    page = packing.unpacked((tiny.root / "reports/tiny/report.html").read_text())

    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    assert 'src="http' not in page
    assert "data/tiny/metrics/robustness.csv" in page
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
    study = copied.root / "workflow/studies/tiny.yaml"
    content = yaml.safe_load(study.read_text())
    own = {name for name, block in content["figures"].items() if block and "use" in block}
    removed = {name for name, block in content["figures"].items() if block is None}
    content["figures"] = dict.fromkeys(load("tiny", copied.root)["figures"].keys() - own | removed)
    study.write_text(yaml.safe_dump(content))

    copied.snakemake("--cores", "1")

    drawn = {path.name for path in (copied.root / "reports/tiny/figures").iterdir()}
    assert drawn == {SNAKEMAKE_MARK, "overview.svg"}  # the page's own picture of the papers


def test_the_metrics_table_reads_back(tiny):
    table = gzip.decompress((tiny.root / "reports/tiny/metrics.csv.gz").read_bytes())
    rows = metric_tables.decode(table).rows

    assert {row.evaluation for row in rows} >= {"robustness", "detection", "margins", "translation"}
    assert all(row.low is None or row.low <= row.value + 1e-9 for row in rows)


@pytest.mark.parametrize("spoil", [lambda data: data[: len(data) // 2], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
def test_a_truncated_or_altered_artefact_is_named_and_made_again(copied, spoil):
    file = "data/tiny/checkpoints/cnn.0.safetensors"
    path = copied.root / file
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))

    done = copied.snakemake("--cores", "2", file)  # what follows from it: tests/workflow/test_rerun_table.py

    assert f"{file}: its bytes do not match its sidecar" in done.stdout + done.stderr
    assert path.read_bytes() == whole


def test_altered_raw_files_are_refused_by_the_step_that_reads_them(copied):
    (copied.root / "data/raw/sklearn_digits/digits.csv").write_bytes(b"0,1\n")
    target = copied.root / "data/tiny/examples/digits_test.safetensors"
    target.unlink()

    done = copied.run(copied.touchstone("job", "prepare", "examples=digits_test", "--study", "tiny"), check=False)

    assert done.returncode == 1
    assert "data/raw/sklearn_digits: its bytes do not match its sidecar" in done.stderr
    assert not target.exists()


def test_altered_raw_files_are_named_and_fetched_again(copied):
    raw = copied.root / "data/raw/sklearn_digits/digits.csv"
    target = copied.root / "data/tiny/examples/digits_test.safetensors"
    whole = raw.read_bytes(), target.read_bytes()
    raw.write_bytes(b"0,1\n")
    target.unlink()

    done = copied.snakemake("data/tiny/examples/digits_test.safetensors", "--cores", "2")

    assert "data/raw/sklearn_digits: these are not the raw files that were fetched" in done.stdout + done.stderr
    assert (raw.read_bytes(), target.read_bytes()) == whole


def test_run_says_where_the_report_is_and_that_a_second_run_has_nothing_to_do(copied):
    done = copied.run(copied.touchstone("run", "tiny"))

    assert (
        done.stdout.strip().splitlines()[-1]
        == "Nothing to do: nothing has changed. The report: reports/tiny/report.html"
    )


def test_a_job_whose_code_moved_on_since_it_was_planned_refuses(copied):
    command = copied.touchstone("job", "prepare", "examples=digits_test", "--study", "tiny", "--code", "sha256:0")

    done = copied.run(command, check=False)

    assert done.returncode == 1
    assert "the code changed since this job was planned" in done.stderr
