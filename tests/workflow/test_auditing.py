"""Any flipped bit, swapped file, edited sidecar or missing link in a study is named; an untouched study passes."""

import json
import random
import shutil

import pytest

from touchstone import auditing, chain, provenance
from touchstone.__main__ import main
from touchstone.params import load
from touchstone.plan import Plan

CHECKPOINT = "data/tiny/checkpoints/cnn.0.safetensors"
EXAMPLES = "data/tiny/examples/digits_test.safetensors"


def findings(project, **options):
    return auditing.audit(Plan(load("tiny", project.root)), project.root, quiet=True, **options)


def named(project, **options):
    return {finding.file for finding in findings(project, **options)}


def test_an_untouched_study_is_whole(tiny):
    assert findings(tiny) == []


def flip(path, place=-1):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "file",
    [
        CHECKPOINT,
        EXAMPLES,
        "data/tiny/metrics/margins.csv",
        "data/raw/sklearn_digits/digits.csv",
        "data/tiny/scores/cnn.0/msp/digits_test.safetensors",
        "reports/tiny/metrics.csv.gz",
        "reports/tiny/report.html",
        "reports/tiny/ROOT",
        "reports/tiny/figures/roc.svg",
    ],
)
def test_a_flipped_bit_is_named(copied, file):
    flip(copied.root / file, place=20)

    assert any(file.startswith(name) for name in named(copied))


def test_an_edited_sidecar_is_named_by_what_was_made_from_its_file(copied):
    path = provenance.sidecar_path(copied.root / CHECKPOINT)
    content = json.loads(path.read_text())
    content["settings"]["loop"]["epochs"] = 99
    path.write_text(json.dumps(content))

    found = {finding.file: finding.problem for finding in findings(copied)}

    assert found[CHECKPOINT] == "was made under other settings than today's"
    assert "another sidecar" in found["data/tiny/outputs/cnn.0/digits_test.safetensors"]


def test_a_file_forged_with_a_consistent_sidecar_is_caught_by_its_consumers_and_the_root(copied):
    path = copied.root / CHECKPOINT
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    flip(path)
    content = provenance.read_sidecar(path)
    del content["artefact"]
    provenance.write_with_sidecar(path, path.read_bytes(), content)

    found = named(copied)

    assert CHECKPOINT not in found
    assert "data/tiny/outputs/cnn.0/digits_test.safetensors" in found
    assert chain.root_digest(copied.root, ["reports/tiny/report.html"]) != root


def test_two_swapped_files_are_named(copied):
    first, second = (
        copied.root / f"data/tiny/scores/cnn.0/{name}/uniform.safetensors" for name in ("msp", "pixel_mahalanobis")
    )
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)

    assert {path.relative_to(copied.root).as_posix() for path in (first, second)} <= named(copied)


def test_a_missing_artefact_and_a_missing_sidecar_are_named(copied):
    (copied.root / EXAMPLES).unlink()
    provenance.sidecar_path(copied.root / CHECKPOINT).unlink()

    assert {EXAMPLES, CHECKPOINT} <= named(copied)


@pytest.mark.parametrize("file", ["data/tiny/scores/extra.safetensors", "reports/tiny/figures/extra.svg"])
def test_an_extra_file_is_named(copied, file):
    (copied.root / file).write_bytes(b"x")

    assert file in named(copied)


@pytest.mark.parametrize("draw", range(8))
def test_any_flipped_bit_of_any_file_or_sidecar_is_found(copied, draw):
    chance = random.Random(draw)
    files = sorted(path for folder in ("data", "reports") for path in (copied.root / folder).rglob("*"))
    files = [path for path in files if path.is_file() and path.stat().st_size and not path.name.startswith(".")]
    sidecars = [path for path in files if path.name.endswith(provenance.SIDECAR)]
    path = chance.choice(sidecars if draw % 2 else files)

    flip(path, chance.randrange(path.stat().st_size))

    assert findings(copied) != [], path


def test_a_number_on_the_page_that_is_not_in_the_metrics_is_named(copied):
    page = copied.root / "reports/tiny/report.html"
    value = auditing.NUMBER.search(page.read_text()).group(1)
    page.write_text(page.read_text().replace(f'<data value="{value}"', '<data value="0.123456"', 1))

    assert any("shows 0.123456" in finding.problem for finding in findings(copied))


def test_other_code_than_todays_is_told_with_its_files(copied, monkeypatch):
    package = copied.root / "src/touchstone"
    copied.edit("src/touchstone/detectors/msp.py", "return ", "return 2 * ")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    provenance._parsed.cache_clear()

    found = {finding.file: finding.problem for finding in findings(copied)}

    assert "detectors/msp.py" in found["data/tiny/scores/cnn.0/msp/digits_test.safetensors"]
    assert "data/tiny/scores/cnn.0/pixel_mahalanobis/digits_test.safetensors" not in found


def test_the_root_digest_is_checked(tiny):
    root = (tiny.root / "reports/tiny/ROOT").read_text().strip()

    assert findings(tiny, expected_root=root) == []
    assert "root digest" in findings(tiny, expected_root="sha256:0")[0].problem


def test_an_empty_study_is_no_whole_one(copied):
    shutil.rmtree(copied.root / "data")
    shutil.rmtree(copied.root / "reports")

    assert "nothing to audit" in findings(copied)[0].problem


def test_the_command_prints_json_and_ends_in_1_where_something_is_wrong(copied, monkeypatch, capsys):
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    monkeypatch.chdir(copied.root)

    assert main(["audit", "tiny", "--root", root, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []

    flip(copied.root / EXAMPLES)
    assert main(["audit", "tiny", "--json"]) == 1
    assert EXAMPLES in {finding["file"] for finding in json.loads(capsys.readouterr().out)}


@pytest.fixture(autouse=True)
def fresh_code_cache():
    yield
    provenance._parsed.cache_clear()


def test_one_file_is_audited_back_to_raw_data_and_nothing_else(copied, monkeypatch, capsys):
    flip(copied.root / EXAMPLES)
    monkeypatch.chdir(copied.root)

    assert auditing.run_audit("data/tiny/checkpoints/cnn.0.safetensors", False, None) == 0
    assert auditing.run_audit("data/tiny/scores/cnn.0/msp/digits_test.safetensors", False, None) == 1
    assert EXAMPLES in capsys.readouterr().out
