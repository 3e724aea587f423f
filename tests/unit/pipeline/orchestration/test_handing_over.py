"""Snakemake gets the records that a restore has read, as it would read them itself, until the first job starts."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.persistence.file import FilePersistence

from touchstone.pipeline.orchestration import restore, snakemake_patches
from touchstone.pipeline.orchestration.restore import Finished, Restored

FILES = ["data/x/a.csv", "data/x/a.csv.prov.json"]
RECORD = {"input": ["data/x/in"], "params": ["1", "2"], "input_checksums": {"data/x/in": "sha256:0"}}


def written(root):
    """Snakemake's own records of two files of a job, which differ in their times."""
    for place, file in enumerate(FILES):
        path = root / restore.RECORDS / restore.record_name(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = RECORD | {"rule": "evaluate", "starttime": 1.5, "endtime": 7.25 + place, "code": 'says time": no'}
        path.write_text(json.dumps(record))


@pytest.fixture
def persistence(tmp_path, monkeypatch):
    """Snakemake's persistence, told the records of one job; the files themselves are gone, so what is read is what was told."""
    written(tmp_path)
    kept = restore._kept(tmp_path, FILES, RECORD)
    for name in ("_read_record_cached", "_clear_cache"):
        monkeypatch.setattr(FilePersistence, name, getattr(FilePersistence, name))
    snakemake_patches._hand_over(Restored(0, [], finished=[Finished(None, {}, RECORD, kept)]))
    found = object.__new__(FilePersistence)
    found._metadata_path, found._max_len = str(tmp_path / restore.RECORDS), None
    return SimpleNamespace(read=found._read_record, forget=found._clear_cache, root=tmp_path)


def test_each_file_has_its_record_with_its_own_times(persistence):
    for file in FILES:
        (persistence.root / restore.RECORDS / restore.record_name(file)).unlink()

    first, second = (persistence.read(file) for file in FILES)

    assert (first.rule, first.input, first.params) == ("evaluate", ["data/x/in"], ["1", "2"])
    assert first.input_checksums == second.input_checksums == {"data/x/in": "sha256:0"}
    assert [record.starttime for record in (first, second)] == [1.5, 1.5]
    assert [record.endtime for record in (first, second)] == [7.25, 8.25]


def test_once_a_job_starts_records_are_read_from_disk_again(persistence):
    path = Path(persistence.root / restore.RECORDS / restore.record_name(FILES[0]))
    assert persistence.read(FILES[0]).rule == "evaluate"
    path.write_text(path.read_text().replace("evaluate", "report"))
    assert persistence.read(FILES[0]).rule == "evaluate"

    persistence.forget()

    assert persistence.read(FILES[0]).rule == "report"


def test_a_record_of_other_params_is_no_record_of_the_job(tmp_path):
    written(tmp_path)

    assert restore._kept(tmp_path, FILES, RECORD) is not None
    assert restore._kept(tmp_path, FILES, RECORD | {"params": ["1", "3"]}) is None
    assert restore._kept(tmp_path, [*FILES, "data/x/other"], RECORD) is None
