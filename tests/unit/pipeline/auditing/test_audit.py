"""Which files an audit looks at."""

from pathlib import Path

import pytest
from touchstone.pipeline.jobs.outputs import Outputs

from touchstone.pipeline.auditing import audit
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    "study", ["digits", "fashion_mnist", "cifar10"]
)  # the last two have a source of their own name
def test_a_file_in_the_folder_of_a_study_is_seen_whatever_the_study_is_called(study, tmp_path):
    stray = tmp_path / "data" / study / "checkpoints" / "cnn.0.safetensors"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"who made this?")

    findings = audit.audit(Plan(load(study, ROOT)), tmp_path, quiet=True)

    assert (f"data/{study}/checkpoints/cnn.0.safetensors", "has no sidecar, so its bytes cannot be checked") in [
        (finding.file, finding.problem) for finding in findings
    ]


def test_files_behind_a_link_are_seen(tmp_path):
    """Large folders often lie on another disk."""
    disk = tmp_path / "disk"
    (disk / "deep").mkdir(parents=True)
    (disk / "deep/cnn.0.safetensors").write_bytes(b"who made this?")
    (disk / "again").symlink_to(disk)  # without an end
    (tmp_path / "data/digits").mkdir(parents=True)
    (tmp_path / "data/digits/checkpoints").symlink_to(disk)

    findings = audit.audit(Plan(load("digits", ROOT)), tmp_path, quiet=True)

    named = [finding.file for finding in findings if finding.problem.startswith("has no sidecar")]
    assert named == ["data/digits/checkpoints/deep/cnn.0.safetensors"]


@pytest.mark.parametrize("address", ["attacked/digits_test/cnn.0/old.safetensors", "scores/cnn.0/old.zip#msp/old"])
def test_a_file_that_the_study_no_longer_makes_is_named_with_what_to_do(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    facts = {"step": "attack", "settings": {}, "code": "sha256:c", "definitions": {}, "packages": {}, "inputs": {}}
    with Outputs() as outputs:
        outputs.write(f"data/digits/{address}", b"old", facts)

    findings = audit.audit(Plan(load("digits", ROOT)), tmp_path, quiet=True)

    assert (f"data/digits/{address}", "is not part of the study; delete its file and run the study again") in [
        (finding.file, finding.problem) for finding in findings
    ]
