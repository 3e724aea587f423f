"""A pack of a study whose files change while it is written."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from touchstone.audit import study_evidence
from touchstone.provenance import sidecar_files


def test_an_older_file_stays_if_the_new_pack_is_discarded(tmp_path, monkeypatch):
    report = Path("reports/own/report.html")
    for name in (sidecar_files.sidecar_path(report), *(report.with_name(page) for page in study_evidence.PAGES)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    plan = SimpleNamespace(study=SimpleNamespace(name="own", folders=()))
    task = SimpleNamespace(output=report.as_posix(), step="report", settings={})
    selection = SimpleNamespace(plan=plan, report=task, stated=(), tasks={}, claims=())
    times = count()
    monkeypatch.setattr(study_evidence, "_times", lambda files: dict.fromkeys(files, next(times)))
    monkeypatch.setattr(study_evidence, "_settings_files", lambda *_: ())
    monkeypatch.setattr(study_evidence.chain, "reached", lambda place, files: {})
    monkeypatch.setattr(study_evidence.chain, "root_digest", lambda page: "sha256:0")
    target = tmp_path / "own.pack"
    target.write_bytes(b"older")

    with pytest.raises(ValueError, match="changed while the pack was written"):
        study_evidence.write(selection, "own", target, root=tmp_path)

    assert target.read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir() if "pack" in path.name] == ["own.pack"]
