"""What earlier commands kept is not believed: an audit parses and computes itself, and verify names a forged result."""

import hashlib
import json
import os
import runpy
import shutil
from pathlib import Path

import pytest

from touchstone.audit import study_evidence
from touchstone.audit.selection import Selection
from touchstone.audit.verification import Options, verify
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import store
from touchstone.settings.study import load

caught = runpy.run_path(str(Path(__file__).parents[1] / "forged_evidence.py"))["caught"]
STUDY = "workflow/studies/few.yaml"
PARSED = ".touchstone/parsed_files.json"


def edited(project, file, old, new):
    """Edit a file so that its size and its time stay, and forge what it was parsed to: under its new digest, the old."""
    path, parsed = project.root / file, project.root / PARSED
    before, seen = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat()
    project.edit(file, old, new)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert path.stat().st_size == seen.st_size
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    entries = json.loads(parsed.read_bytes().partition(b"\n")[2])
    forged = {key.replace(before, after): value for key, value in entries.items() if before in key}
    assert forged, f"nothing is kept about {file}"
    content = json.dumps(entries | forged).encode()
    parsed.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        (
            "src/touchstone/data/digits.py",
            "1797, 64, 16, 10",
            "1797, 64, 17, 10",
            "built by other code: data.digits.",
        ),
    ],
)
def test_an_audit_notices_an_edited_file_whose_old_content_was_kept(few, tmp_path, file, old, new, finding):
    project = few.copy(tmp_path / "copy")
    whole = project.run(project.touchstone("audit", STUDY, "--no-render", "--recompute", "0"), check=False)
    edited(project, file, old, new)
    forged = (project.root / PARSED).read_bytes()

    done = project.run(project.touchstone("audit", STUDY, "--no-render", "--recompute", "1"), check=False)

    assert finding not in whole.stdout
    assert finding in done.stdout
    assert done.returncode == 4
    assert (project.root / PARSED).read_bytes() == forged


def test_a_forged_result_in_the_store_is_named_by_verify(few, tmp_path):
    """The next run takes it, because its record has the digest of its bytes."""
    project = few.copy(tmp_path / "copy")
    (path,) = (path.with_suffix("") for path in (project.root / "data/few/evaluate").glob("*.json"))
    data, record = path.read_bytes(), json.loads(store.record_path(path).read_text())
    facts = {name: value for name, value in record.items() if name not in ("artefact", "size")}
    forged = data.replace(b",60,", b",61,", 1)
    assert forged != data
    store.Store("few", project.root / "data").keep("evaluate", path.name, forged, facts)
    shutil.rmtree(project.root / "results/few/evaluate")
    project.snakemake("--cores", "1", study="few")

    study_evidence.write(Selection(Plan(load("few", project.root))), "few", tmp_path / "e", root=project.root)

    assert caught(verify(tmp_path / "e", Options()), "recomputation", "metrics/sheet.csv")
