"""A file, a claim or a metrics row leads back to raw data: as a tree, as JSON, as a picture."""

import csv
import gzip
import json
import re
import shutil
from xml.etree import ElementTree

import pytest

from touchstone.audit.chain import chain_picture, trace
from touchstone.provenance import artefact_paths, chain, code
from touchstone.provenance.job_folders import name_of
from touchstone.records.metric_tables import METRIC_COLUMNS

SCORES = "results/tiny/detect/cnn.0/scores/cnn.0/msp/digits_test.safetensors"
EXAMPLES = "results/tiny/prepare/tiny/examples/digits_test.safetensors"


@pytest.fixture
def inside(tiny, monkeypatch):
    monkeypatch.chdir(tiny.root)
    return tiny


def sidecar(step, *inputs, digest="sha256:0123456789abcdef"):
    return {"artefact": digest, "step": step, "inputs": {"of": [{"file": file} for file in inputs]}}


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text and element.text.strip()]


def test_a_file_is_traced_to_raw_data(inside, capsys):
    code = trace.run_trace(SCORES, None, False, None)

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].startswith(SCORES)
    assert any(line.strip().startswith("data/raw/sklearn_digits") for line in lines)


def test_a_claim_leads_to_the_files_behind_its_number(inside, capsys):
    trace.run_trace("tiny", "F3", True, None)

    found = capsys.readouterr()
    assert found.err.startswith("F3, ")
    assert "results/tiny/train/cnn.0/networks/cnn.0.safetensors" in json.loads(found.out)


def test_a_line_of_the_metrics_leads_to_its_files(inside, capsys):
    row = (
        gzip.decompress((inside.root / "reports/tiny/metrics.csv.gz").read_bytes()).decode().splitlines()[1].split(",")
    )

    trace.run_trace("tiny", "2", True, None)

    name = row[METRIC_COLUMNS.index("files") - len(METRIC_COLUMNS)].split()[0]
    assert name in map(name_of, json.loads(capsys.readouterr().out))


def test_every_name_in_the_tables_is_that_of_an_artefact(inside):
    rows = csv.DictReader(
        gzip.decompress((inside.root / "reports/tiny/metrics.csv.gz").read_bytes()).decode().split("\n")
    )
    names = {name: None for row in rows for name in row["files"].split()}

    assert len(names) > 20
    assert list(map(name_of, artefact_paths.find_artefacts(inside.root, "tiny", names))) == list(names)


def test_an_artefact_is_traced_by_its_name(inside, capsys):
    trace.run_trace(SCORES, None, False, None)
    by_path = capsys.readouterr().out

    assert trace.run_trace("scores/cnn.0/msp/digits_test", None, False, None) == 0
    assert capsys.readouterr().out == by_path


@pytest.mark.parametrize(
    ("number", "told"),
    [("F33", "Did you mean F3"), ("1", "lines 2 to"), ("G2", "computed from no file")],
)
def test_a_number_that_leads_nowhere_is_told(inside, number, told):
    with pytest.raises(ValueError, match=told):
        trace.run_trace("tiny", number, False, None)


@pytest.mark.parametrize(
    ("what", "number", "told"),
    [
        ("tiny", None, "tiny is a study; name one of its numbers: touchstone trace tiny --number CLAIM"),
        ("reports/tiny", None, "is a study; name one of its numbers: touchstone trace tiny --number CLAIM"),
        ("results/tiny", None, "is a study; name one of its numbers: touchstone trace tiny --number CLAIM"),
        (
            "results/tiny/train/cnn.7/networks/cnn.7.safetensors",
            None,
            "no artefact of this name; touchstone trace STUDY --number CLAIM",
        ),
        ("tyni", "F3", "run the study first. Did you mean tiny?"),
    ],
)
def test_what_is_no_file_is_told_with_what_to_type(inside, what, number, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        trace.run_trace(what, number, False, None)


def test_a_number_has_its_name_its_unit_and_its_interval_before_its_chain(inside, capsys):
    trace.run_trace("tiny", "F3", False, None)

    head, *chain_lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"F3, counter-claim [a-z]+: accuracy under one step minus that under the suite [+-][\d.]+ points \[[+-][\d.]+, [+-][\d.]+\]",
        head,
    )
    assert chain_lines[0].startswith("results/tiny/")


def test_a_chain_is_printed_only_as_deep_as_asked(inside, capsys):
    trace.run_trace(SCORES, None, False, None)
    whole = capsys.readouterr().out.splitlines()
    trace.run_trace(SCORES, None, False, None, 1)

    assert capsys.readouterr().out.splitlines() == [line for line in whole if not line.startswith("    ")]
    assert any(line.startswith("    ") for line in whole)


def test_altered_bytes_are_pointed_out(copied, monkeypatch, capsys):
    monkeypatch.chdir(copied.root)
    path = copied.root / EXAMPLES
    path.write_bytes(path.read_bytes() + b" ")

    code = trace.run_trace(SCORES, None, False, "chain.svg")

    assert code == 1
    altered = [line for line in capsys.readouterr().out.splitlines() if "ALTERED" in line]
    assert [line.strip().split("  ")[0] for line in altered] == [EXAMPLES]
    assert chain_picture.ALTERED["edgecolor"] in (copied.root / "chain.svg").read_text()


@pytest.mark.parametrize(
    ("what", "number", "named"),
    [
        ("tiny", "F3", "outputs/"),
        ("tiny", "2", "attacked/digits_test/"),
        ("reports/tiny/claims.csv", None, "reports/tiny/claims.csv"),
        (SCORES, None, SCORES),
    ],
)
def test_without_data_a_trace_names_the_files_and_says_how_to_get_them(
    copied, monkeypatch, capsys, what, number, named
):
    monkeypatch.chdir(copied.root)
    shutil.rmtree(copied.root / "results/tiny")
    (copied.root / "reports/tiny/report.html").unlink()  # git does not store it

    assert trace.run_trace(what, number, False, None) == chain.PARTLY

    said = capsys.readouterr()
    assert named in said.out
    last = said.err.splitlines()[-1]
    assert last.startswith("results/tiny: is not here")
    assert "`make run STUDY=tiny`" in last
    assert "`dvc pull`" in last


@pytest.fixture
def other_code(copied, monkeypatch):
    """A copy of the project in which the code of an attack changed after its run."""
    monkeypatch.setattr(code, "PACKAGE", copied.root / "src/touchstone")
    code._read.clear()
    copied.edit("src/touchstone/attacks/pgd.py", "steps: PositiveInt = 40", "steps: PositiveInt = 41")
    monkeypatch.chdir(copied.root)
    yield copied
    code._read.clear()


BUILT = "built by other code: attacks.pgd.pgd; that code is in no commit here"


def test_files_of_a_chain_that_other_code_built_are_named(other_code, capsys):
    assert (
        trace.run_trace("results/tiny/attack/cnn.0/attacked/digits_test/cnn.0/pgd.safetensors", None, False, None) == 0
    )
    assert capsys.readouterr().err == f"results/tiny/attack/cnn.0/attacked/digits_test/cnn.0/pgd.safetensors: {BUILT}\n"

    assert trace.run_trace(SCORES, None, False, None) == 0
    assert capsys.readouterr().err == ""


def test_a_report_that_other_code_built_is_named_without_its_data(other_code, capsys):
    shutil.rmtree(other_code.root / "results/tiny")

    assert trace.run_trace("tiny", "F3", True, None) == chain.PARTLY

    said = capsys.readouterr()
    assert json.loads(said.out)
    assert f"reports/tiny/report.html: {BUILT}" in said.err.splitlines()


def test_a_small_chain_has_a_box_per_file_raw_data_on_the_left():
    table, examples = "results/s/evaluate/p/metrics/b.csv", "results/s/prepare/s/examples/a.safetensors"
    found = {table: sidecar("evaluate", examples), examples: sidecar("prepare")}

    svg = chain_picture.draw(found, set())

    names = ("examples/a", "metrics/b")
    assert [text for text in texts(svg) if text in names] == list(names)
    assert chain_picture.ALTERED["edgecolor"] not in svg.decode()
    assert svg == chain_picture.draw(found, set())


def test_a_large_chain_is_drawn_by_step_and_folder():
    examples = "results/s/prepare/s/examples/e.safetensors"
    files = {f"results/s/measure/net{i}/outputs/net{i}/set.safetensors": sidecar("infer", examples) for i in range(99)}
    found = files | {examples: sidecar("prepare")}

    shown = " ".join(texts(chain_picture.draw(found, set())))

    assert "99 files" in shown and "infer: outputs" in shown
    assert "net5" not in shown
