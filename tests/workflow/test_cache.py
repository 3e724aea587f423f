"""The action cache: what was done once is put back, its chain made new; a damaged entry is not used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from touchstone import digests
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.cache import Cache


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


def test_nothing_is_left_of_an_output_that_does_not_fit_on_the_disk(tmp_path, monkeypatch):
    def refuse(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("touchstone.pipeline.provenance.cache.shutil.copyfile", refuse)

    with pytest.raises(OSError, match="No space"):
        kept(tmp_path)
    assert list((tmp_path / "cache" / "objects").iterdir()) == []


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
