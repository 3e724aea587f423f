"""Digests that an audit computes, in this process or in others."""

import hashlib
import time

import pytest

from touchstone.digests import folder_digest
from touchstone.pipeline.auditing import findings
from touchstone.pipeline.provenance import bundles


@pytest.fixture
def artefacts(tmp_path):
    """A file, a folder, a bundle, its member, and a member of a bundle that is cut short; with their digests."""
    whole, folder, bundle, cut = (tmp_path / name for name in ("whole", "folder", "whole.zip", "cut.zip"))
    whole.write_bytes(b"some bytes")
    folder.mkdir()
    (folder / "part").write_bytes(b"a part")
    with bundles.written(bundle) as writer:
        writer.add("a/member", b"its bytes")
    cut.write_bytes(bundle.read_bytes()[:-9])
    sha = {
        data: "sha256:" + hashlib.sha256(data).hexdigest()
        for data in (b"some bytes", b"its bytes", bundle.read_bytes())
    }
    return {
        whole: sha[b"some bytes"],
        folder: folder_digest(folder),
        bundle: sha[bundle.read_bytes()],
        tmp_path / "whole.zip#a/member": sha[b"its bytes"],
        tmp_path / "cut.zip#a/member": None,
    }


@pytest.mark.parametrize("large", [0, findings.LARGE])
def test_digests_are_those_of_the_bytes_in_whichever_process(artefacts, monkeypatch, large):
    monkeypatch.setattr(findings, "LARGE", large)

    with findings.computed_digests(list(artefacts), quiet=True) as wait:
        digests = wait()

    *whole, cut = digests
    assert {path: digests[path] for path in whole} == {path: artefacts[path] for path in whole}
    assert digests[cut].startswith("none (") and "cut.zip" in digests[cut]


def test_large_files_are_digested_while_the_block_runs(artefacts, monkeypatch, tmp_path):
    began = tmp_path / "began"
    monkeypatch.setattr(findings, "LARGE", 0)
    monkeypatch.setattr(findings.sidecar_files, "artefact_digest", lambda path: str(began.touch()))

    with findings.computed_digests(list(artefacts), quiet=True):
        for _ in range(3000):  # nobody waits for the digests yet
            if began.exists():
                break
            time.sleep(0.01)
        assert began.exists()


def test_an_error_in_the_block_ends_the_other_processes(artefacts, monkeypatch):
    monkeypatch.setattr(findings, "LARGE", 0)

    with pytest.raises(KeyError), findings.computed_digests(list(artefacts) * 1000, quiet=True):
        raise KeyError


def test_where_no_progress_can_be_shown_nothing_is_printed(artefacts, capsys):
    findings.actual_digests(list(artefacts), quiet=False)

    assert capsys.readouterr() == ("", "")


def test_no_more_processes_compute_digests_than_there_are_cores_for_this_one(artefacts, monkeypatch):
    def pool(processes, context):
        counts.append(processes)
        return actual(processes, context)

    counts, actual = [], findings.ProcessPoolExecutor
    monkeypatch.setattr(findings, "LARGE", 0)
    monkeypatch.setattr(findings, "ProcessPoolExecutor", pool)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    with findings.computed_digests(list(artefacts), quiet=True) as wait:
        wait()

    assert counts == [1]
