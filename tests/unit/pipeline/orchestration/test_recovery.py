"""Before a run: what a killed run left behind is cleared away, with a message."""

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.orchestration import locks, recovery
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import store
from touchstone.settings.study import load

ROOT = Path(__file__).parents[4]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Plan(load("tiny", ROOT))


def test_stale_locks_of_snakemake_are_removed_with_a_message(plan, capsys):
    locks.SNAKEMAKE_LOCKS.mkdir(parents=True)
    (locks.SNAKEMAKE_LOCKS / "0.input.lock").write_text("x")

    recovery.clear(plan, Path("logs/tiny"))

    assert not list(locks.SNAKEMAKE_LOCKS.iterdir())
    assert "an earlier run was killed; removed its lock on this folder" in capsys.readouterr().err


def test_half_written_files_go_and_whole_ones_stay(plan):
    half = [
        "data/tiny/score/.0123.ab12_xyz",
        "data/tiny/score/.0123.json.ab12_xyz",
        "data/raw/.digits.abcdefgh/digits.csv",
    ]
    whole = ["data/tiny/score/0123", "reports/tiny/figures/.snakemake_timestamp", "data/raw/digits/.hidden"]
    for name in half + whole:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")

    recovery.clear(plan, Path("logs/tiny"))

    assert [name for name in half if Path(name).exists()] == []
    assert all(Path(name).exists() for name in whole)


def test_a_folder_whose_record_was_deleted_is_removed_with_a_message(plan, capsys):
    folder = Path("results/tiny/train/cnn.0")
    folder.mkdir(parents=True)
    (folder / ".snakemake_timestamp").touch()

    recovery.clear(plan, Path("logs/tiny"))

    assert not folder.exists()
    assert capsys.readouterr().err.startswith(f"touchstone: {folder} was removed and is made again: ")


def test_half_written_files_stay_in_a_store_that_clones_share(plan, monkeypatch):
    """Another clone may be writing them."""
    monkeypatch.setenv(store.VARIABLE, "shared")
    half = Path("shared/tiny/score/.0123.ab12_xyz")
    half.parent.mkdir(parents=True)
    half.write_text("x")

    recovery.clear(plan, Path("logs/tiny"))

    assert half.exists()


@pytest.mark.parametrize(
    "folder", ["data/raw", "data", "results", "reports", "logs", ".snakemake", ".touchstone", "shared"]
)
def test_a_folder_that_cannot_be_written_to_is_named_before_anything_runs(plan, monkeypatch, folder):
    monkeypatch.setenv(store.VARIABLE, "shared" if folder == "shared" else "data")
    Path(folder).mkdir(parents=True)
    monkeypatch.setattr(recovery.os, "access", lambda path, mode: str(path) != folder)

    with pytest.raises(PermissionError, match="this folder is not writable; nothing was run") as refused:
        recovery.check_writable(plan)
    assert refused.value.filename == folder


def test_a_record_of_a_process_that_is_no_more_ends_nobody(plan, capsys):
    record = dict.fromkeys(run_records.STARTED) | {
        "host": socket.gethostname(),
        "process": {"pid": 1, "start": 1, "command": ["python", "-m", "touchstone"]},
    }
    folder = Path("logs/tiny/runs/train")
    folder.mkdir(parents=True)
    (folder / "cnn.json").write_text(json.dumps(record))

    recovery.clear(plan, Path("logs/tiny"))

    assert capsys.readouterr().err == ""


def test_orphans_of_every_study_are_ended(plan, monkeypatch, capsys):
    """All studies of a folder share data/raw, whose half-written files are removed next."""
    for study in ("tiny", "digits"):
        (Path("logs") / study / run_records.FOLDER).mkdir(parents=True)
    ended = []
    monkeypatch.setattr(run_records, "running", lambda logs: [SimpleNamespace(pid=logs.name)])
    monkeypatch.setattr(recovery.processes, "end", ended.extend)

    recovery.clear(plan, Path("logs/tiny"))

    assert {orphan.pid for orphan in ended} == {"tiny", "digits"}
