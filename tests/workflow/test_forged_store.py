"""An audit parses every file itself, whatever a forged store of parsed files says about the edited ones."""

import hashlib
import json
from pathlib import Path

import pytest

from touchstone.pipeline.auditing import recomputation
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

STUDY = "workflow/studies/few.yaml"
STORE = ".touchstone/parsed_files.json"


def edited(project, file, old, new):
    """Edit a file, and forge the store: under the new bytes' keys it has what the old bytes were parsed to."""
    path, store = project.root / file, project.root / STORE
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    project.edit(file, old, new)
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    entries = json.loads(store.read_bytes().partition(b"\n")[2])
    forged = {key.replace(before, after): value for key, value in entries.items() if before in key}
    assert forged, f"the store has nothing about {file}"
    content = json.dumps(entries | forged).encode()
    store.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


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
def test_an_audit_notices_an_edited_file_whose_old_content_the_store_has(few, tmp_path, file, old, new, finding):
    project = few.copy(tmp_path / "copy")
    whole = project.run(project.touchstone("audit", STUDY, "--no-render"), check=False)
    edited(project, file, old, new)
    forged = (project.root / STORE).read_bytes()

    done = project.run(project.touchstone("audit", STUDY, "--no-render", "--recompute", "1"), check=False)

    assert finding not in whole.stdout
    assert finding in done.stdout
    assert done.returncode == 4
    assert (project.root / STORE).read_bytes() == forged


def test_a_job_that_is_run_again_does_not_see_the_store(few, tmp_path, monkeypatch):
    project = few.copy(tmp_path / "copy")
    monkeypatch.chdir(project.root)
    plan = Plan(load(STUDY))
    job = next(job for job in plan.jobs() if job[0].step == "prepare")

    def left(*arguments, cwd, **options):
        seen.append([path.name for path in Path(cwd, ".touchstone").iterdir()])
        raise recomputation.Failed("not run")

    seen = []
    (project.root / ".touchstone/run.json").touch()
    monkeypatch.setattr(recomputation.subprocess, "run", left)
    list(recomputation.differences(STUDY, plan, *job, project.root))

    (names,) = seen
    assert "run.json" in names
    assert "parsed_files.json" not in names
