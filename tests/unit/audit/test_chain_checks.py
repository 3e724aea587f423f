"""What verify says of the page in a pack, and of files that belong to nothing."""

import gzip
import shutil
from types import SimpleNamespace

import pytest

from job_files import FACTS
from projects import ROOT, write_study
from touchstone import digests
from touchstone.audit import chain_checks
from touchstone.audit.problems import Result
from touchstone.audit.selection import Selection
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import chain, sidecar_files
from touchstone.settings.study import load

REPORT = "reports/own/report.html"
SHOWN = '<data value="0.9496" data-row="2">{}</data><tr id="claim-S1" class="x"><td><span class="verdict a">{}</span></td></tr>'


def verified(folder, number="95.0\u202f%", word="holds"):
    """Write a report with its tables and all digests; return what verify says of its pages."""
    page = folder / REPORT
    page.parent.mkdir(parents=True)
    page.write_text(SHOWN.format(number, word))
    page.with_name("metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9496,fraction\n", mtime=0))
    page.with_name("claims.csv").write_text("claim,status,attacker,measured,kind\nS1,holds,,,\n")
    pages = {
        name: digests.file_digest(page.with_name(name)) for name in ("report.html", "metrics.csv.gz", "claims.csv")
    }
    record = {**FACTS, "pages": pages}
    sidecar_files.write_sidecar(page, sidecar_files.artefact_digest(page), record)
    root = chain.root_digest(page)
    page.with_name("ROOT").write_text(f"{root}\n")
    result = Result()
    selection = SimpleNamespace(report=SimpleNamespace(output=REPORT))
    chain_checks.check_pages(selection, {REPORT: record}, folder, root, root, result)
    return result


def test_the_words_of_an_honest_page_are_taken_on_trust(tmp_path):
    result = verified(tmp_path)

    assert result.problems == []
    assert [line for line in result.trusted if line.startswith(f"the words and the figures of {REPORT}")]


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        ({"number": "99.0\u202f%"}, "shows 99.0\u202f% but line 2 of metrics.csv.gz says 0.9496"),
        ({"word": "fails"}, "says that S1 is fails; claims.csv says holds"),
    ],
)
def test_a_page_whose_digests_are_right_is_compared_with_its_tables(tmp_path, forged, words):
    assert [problem.message for problem in verified(tmp_path, **forged).problems] == [words]


def test_files_that_belong_to_nothing_are_named(tmp_path):
    file = write_study(tmp_path, "own")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    selection = Selection(Plan(load(str(file), tmp_path)))
    own = [
        *selection.stated,
        REPORT,
        f"{REPORT}.prov.json",
        "reports/own/ROOT",
        "params.yaml",
        "workflow/studies/own.yaml",
    ]
    crate = ["ro-crate-metadata.json", "workflow/Snakefile", "workflow/rules/data.smk"]
    strays = ["reports/digits/summary.html", "reports/own/summary.html", "workflow/studies/other.yaml"]
    result = Result()

    chain_checks.check_entries(selection, {REPORT: {}}, tmp_path, [*strays, *own, *crate], result)

    assert [problem.file for problem in result.problems] == strays
    assert result.trusted == [
        "3 files about the crate and the workflow, such as ro-crate-metadata.json: nothing is computed from them"
    ]


@pytest.mark.parametrize(("step", "unchecked"), [("train", 0), ("convert", 1)])
def test_of_a_network_from_elsewhere_it_is_unchecked_whether_it_learned_from_test_images(monkeypatch, step, unchecked):
    monkeypatch.setattr(chain_checks.apart, "pairs", lambda study: {})
    monkeypatch.setattr(chain_checks, "prepared_sets", lambda *_: None)
    selection = SimpleNamespace(
        plan=SimpleNamespace(study=None, folder="results/own"), tasks={"net.0.safetensors": SimpleNamespace(step=step)}
    )
    result = Result()

    chain_checks.check_splits(selection, {"net.0.safetensors": {}}, ROOT, result)

    assert result.problems == []
    assert result.unchecked == unchecked * [
        "whether net.0 learned from test images: the pack lacks what they learned from"
    ]


@pytest.mark.parametrize("settings", [{"eps": float("inf")}, {"eps": {"use": float("nan")}}])
def test_a_record_whose_settings_are_no_json_is_a_finding_and_the_others_are_read(settings):
    task = SimpleNamespace(step="attack", settings={"eps": 0.1}, roles={})
    selection = SimpleNamespace(tasks={"a.csv": task, "b.csv": task}, files=["a.csv", "b.csv"])
    forged, other = ({"step": step, "inputs": {}, "settings": settings} for step in ("attack", "train"))
    result = Result()

    chain_checks.check_plan(selection, {"a.csv": forged, "b.csv": other}, result)

    assert [(problem.check, problem.file) for problem in result.problems] == [("plan", "a.csv"), ("plan", "b.csv")]
