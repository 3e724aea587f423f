"""The action cache: what was done once is put back, its chain made new; a damaged entry is not used; it has a bound."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from touchstone import digests
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.cache import Cache, Pruned


def kept(tmp_path, text=b"artefact", key="sha256:key"):
    made = tmp_path / "made"
    made.write_bytes(text)
    cache = Cache(tmp_path / "cache")
    cache.keep(key, made)
    return cache


def test_what_was_kept_as_a_file_or_as_bytes_is_there_as_a_file_of_its_own(tmp_path):
    cache = kept(tmp_path)
    cache.keep("sha256:bytes", b"a member")

    assert cache.fetch("sha256:key").read_bytes() == b"artefact"
    assert cache.fetch("sha256:bytes").read_bytes() == b"a member"
    assert cache.fetch("sha256:key").stat().st_nlink == 1


def test_another_action_is_not_found(tmp_path):
    assert kept(tmp_path).fetch("sha256:other") is None


def test_an_entry_cannot_lead_out_of_the_cache(tmp_path):
    """Evidence of others is unpacked into a folder in which a cache would be looked for."""
    cache, victim = kept(tmp_path), tmp_path / "victim"
    victim.write_text("mine")
    (record,) = (tmp_path / "cache" / "actions").iterdir()

    for place in (str(victim), "../../victim", f"sha256:../../{victim.name}"):
        record.write_text(json.dumps({"artefact": place}))
        assert cache.fetch("sha256:key") is None
        cache.prune(0, dry=False)

    assert victim.read_text() == "mine"


def test_a_damaged_entry_is_dropped_and_not_used(tmp_path):
    cache = kept(tmp_path)
    (entry,) = (tmp_path / "cache" / "objects").iterdir()
    entry.write_bytes(b"artefacX")

    assert cache.fetch("sha256:key") is None
    assert not entry.exists()


@pytest.mark.parametrize("damaged", [b"\xff\xfe", b"[]", b"{}", b'{"artefact"'])
def test_an_unreadable_record_of_an_action_is_a_miss(damaged, tmp_path):
    cache = kept(tmp_path)
    (record,) = (tmp_path / "cache" / "actions").iterdir()
    record.write_bytes(damaged)

    assert cache.fetch("sha256:key") is None


def test_an_output_that_another_user_kept_is_used(tmp_path, monkeypatch):
    cache = kept(tmp_path)

    def refuse(*_):
        raise PermissionError(1, "not the owner")

    monkeypatch.setattr("touchstone.pipeline.provenance.cache.os.utime", refuse)

    assert cache.fetch("sha256:key").read_bytes() == b"artefact"


def test_nothing_is_left_of_an_output_that_does_not_fit_on_the_disk(tmp_path, monkeypatch):
    def refuse(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("touchstone.pipeline.provenance.cache.shutil.copyfile", refuse)

    with pytest.raises(OSError, match="No space"):
        kept(tmp_path)
    assert list((tmp_path / "cache" / "objects").iterdir()) == []


def test_pruning_removes_what_was_used_longest_ago(tmp_path):
    cache = kept(tmp_path, b"a" * 100, "sha256:old")
    (old,) = (tmp_path / "cache" / "objects").iterdir()
    os.utime(old, (1, 1))
    kept(tmp_path, b"b" * 100, "sha256:new")

    assert cache.prune(limit=150, dry=True) == Pruned(outputs=1, size=100, entries=1)
    assert cache.prune(limit=150, dry=False) == Pruned(outputs=1, size=100, entries=1)
    assert cache.prune(limit=150, dry=False) == Pruned(outputs=0, size=0, entries=0)
    assert cache.fetch("sha256:old") is None
    assert cache.fetch("sha256:new") is not None


def files(cache, folder):
    return {path.name for path in (cache.folder / folder).iterdir()}


def test_pruning_removes_entries_whose_output_is_gone_and_outputs_that_no_entry_leads_to(tmp_path):
    """As after a damaged output was dropped, a kill between the output and its entry, an entry cut off by a power failure."""
    cache = kept(tmp_path, b"of use", "sha256:of_use")
    kept(tmp_path, b"dropped", "sha256:dropped")
    (cache.folder / "objects" / digests.sha256(b"dropped").removeprefix("sha256:")).unlink()
    for orphan in ("objects/unused", "actions/cut.json"):
        (cache.folder / orphan).write_bytes(b'{"art')
        os.utime(cache.folder / orphan, (1, 1))

    before = files(cache, "objects") | files(cache, "actions")
    assert cache.prune(limit=1e9, dry=True) == Pruned(outputs=1, size=5, entries=2)
    assert files(cache, "objects") | files(cache, "actions") == before
    assert cache.prune(limit=1e9, dry=False) == Pruned(outputs=1, size=5, entries=2)

    assert files(cache, "actions") == {"of_use.json"}
    assert cache.fetch("sha256:of_use") is not None


def test_what_a_job_at_work_has_just_kept_is_not_taken_for_unused(tmp_path):
    cache = kept(tmp_path)
    (cache.folder / "objects" / "no_entry_yet").write_bytes(b"output")
    (cache.folder / "actions" / ".key.json.half").write_bytes(b"")

    assert cache.prune(limit=1e9, dry=False) == Pruned(outputs=0, size=0, entries=0)
    assert "no_entry_yet" in files(cache, "objects")


def test_a_limit_removes_nothing_of_a_job_at_work(tmp_path):
    """A temporary file is no output yet, and neither is an output whose entry is not written yet."""
    cache = kept(tmp_path, b"a" * 100)
    for name in ("objects/.half.0123", "objects/no_entry_yet"):
        (cache.folder / name).write_bytes(b"b" * 100)
    (entry,) = (cache.folder / "actions").iterdir()
    written = entry.with_name(".written.json.4567")  # but not renamed yet, and its output was removed
    written.write_text(json.dumps({"artefact": digests.sha256(b"removed")}))

    assert cache.prune(limit=150, dry=False) == Pruned(outputs=0, size=0, entries=0)
    assert cache.prune(limit=0, dry=False) == Pruned(outputs=1, size=100, entries=1)
    assert files(cache, "objects") == {".half.0123", "no_entry_yet"}
    assert files(cache, "actions") == {written.name}


@pytest.mark.parametrize("folder", ["actions", "objects"])
def test_what_a_job_removes_while_the_cache_is_pruned_is_left_out(tmp_path, monkeypatch, folder):
    """As a job renames its temporary files, and drops a damaged output."""
    cache, glob = kept(tmp_path), Path.glob

    def meanwhile(path, pattern):
        removed = path / ".temporary"
        return [*glob(path, pattern), *([removed] if path.name == folder else [])]

    monkeypatch.setattr(Path, "glob", meanwhile)

    assert cache.prune(limit=1e9, dry=False) == Pruned(outputs=0, size=0, entries=0)


def test_it_can_be_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_CACHE", "off")

    assert Cache.at(tmp_path) is None


def test_switching_a_setting_forth_and_back_computes_nothing(copied):
    table = "data/tiny/metrics/margins.csv"
    before = copied.digests("data")
    copied.edit("workflow/studies/tiny.yaml", "fab: {use: fab, steps: 2}", "fab: {use: fab, steps: 3}")
    copied.snakemake("--cores", "2", table)
    assert copied.digests("data") != before
    copied.edit("workflow/studies/tiny.yaml", "fab: {use: fab, steps: 3}", "fab: {use: fab, steps: 2}")

    # Without the warm process, so that the memory of the job is seen.
    replace(copied, environment={"TOUCHSTONE_WARM": "off"}).snakemake("--cores", "2", table)

    assert copied.digests("data") == before
    (record,) = (
        record
        for record in run_records.read(copied.root / "logs/tiny")
        if record["rule"] == "measure_tested" and record["wildcards"] == {"net": "cnn.0", "margin": "fab"}
    )
    assert record["from_cache"] == len(record["outputs"])
    assert record["peak_bytes"] < 300e6, "torch (660 MB) was imported for a file that the cache held"


def test_a_hit_writes_a_sidecar_that_names_the_new_chain(copied):
    """The classifier is remade with equal bytes under another sidecar: what is downstream is linked, its chain is new."""
    copied.edit(
        "workflow/studies/tiny.yaml",
        "study: {title: Tiny, pdf: false}",
        "# a comment\nstudy: {title: Tiny, pdf: false}",
    )
    path = copied.root / "data/tiny/checkpoints/cnn.0.safetensors"
    content = json.loads(sidecar_files.sidecar_path(path).read_text())
    assert content["step"] == "train"
    assert {link["file"] for links in content["inputs"].values() for link in links} >= {
        "data/tiny/examples/digits_train.safetensors"
    }


def test_what_another_user_keeps_to_themselves_is_not_found(tmp_path, monkeypatch):
    cache = kept(tmp_path)

    def refuse(path):
        raise PermissionError(13, "not yours", str(path))

    monkeypatch.setattr(digests, "file_digest", refuse)

    assert cache.fetch("sha256:key") is None
