"""`touchstone gc` lists what left a study and what the cache has too much, and deletes exactly that with --delete."""

import os
from pathlib import Path

import pytest

from touchstone import digests
from touchstone.__main__ import main
from touchstone.commands import gc
from touchstone.pipeline.orchestration import locks
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import bundles, sidecar_files
from touchstone.pipeline.provenance.addresses import Address
from touchstone.pipeline.provenance.cache import Cache
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[3]
LEFT, CURRENT = "data/digits/scores/cnn.0/gone/digits_test.safetensors", "data/digits/metrics/margins.csv"


def made(root, file):
    path = root / file
    path.parent.mkdir(parents=True)
    path.write_text(file)
    sidecar_files.write_sidecar(path, digests.file_digest(path), {"step": "score", "inputs": {}})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The default study with a file that it makes, one that left it, and a cache of an old and a new output."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOUCHSTONE_CACHE", raising=False)
    made(tmp_path, LEFT)
    made(tmp_path, CURRENT)
    for age, name in enumerate(("new", "old")):
        (tmp_path / name).write_text(name * 1000)
        digest = digests.file_digest(tmp_path / name)
        Cache.at(tmp_path).keep(f"sha256:{name}", tmp_path / name)
        os.utime(tmp_path / ".touchstone/cache/objects" / digest.removeprefix("sha256:"), (9 - age, 9 - age))
    return tmp_path


def test_a_member_that_left_the_study_leaves_its_bundle_and_the_others_stay(project):
    detector = Address.parse(Plan(load("digits")).layout.detector_of("cnn.0", "msp"))
    path, record = (
        project / detector.file,
        {"step": "fit", "inputs": {}, "code": "sha256:c", "definitions": {"a.f": "a1"}, "packages": {}},
    )
    with bundles.written(path) as bundle:
        for member in (detector.member, "gone"):
            bundle.add(member, member.encode())
    texts = {member: {"artefact": digests.sha256(member.encode()), **record} for member in (detector.member, "gone")}
    sidecar_files.write_bundle_sidecar(path, texts)

    assert f"{detector.file}#gone" in gc.left_behind(Plan(load("digits")), project)
    assert main(["gc", "digits", "--delete"]) == 0

    assert bundles.names(path) == sidecar_files.members(path) == [detector.member]
    assert sidecar_files.read_artefact(Path(str(detector))) == detector.member.encode()
    assert sidecar_files.bundle_problem(path) == ""


def files(project):
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def test_nothing_is_removed_unless_it_is_said(project, capsys):
    before = files(project)

    assert main(["gc", "digits", "--limit", "0.000004"]) == 0

    assert files(project) == before
    assert capsys.readouterr().out.splitlines() == [
        LEFT,
        "1 files, 1 cached outputs (0.00 GB) and 1 cache entries without an output to remove (--delete does it)",
    ]


@pytest.mark.parametrize("limit", ["nan", "-1", "much"])
def test_a_limit_that_is_no_size_is_refused(project, limit, capsys):
    before = files(project)

    with pytest.raises(SystemExit) as end:
        main(["gc", "digits", f"--limit={limit}", "--delete"])

    assert end.value.code == 2
    assert f"{limit}: expected a number of GB, 0 or more" in capsys.readouterr().err
    assert files(project) == before


def test_what_left_the_study_goes_with_its_sidecar_and_of_the_cache_what_was_used_longest_ago(project):
    before = files(project)

    assert main(["gc", "digits", "--limit", "0.000004", "--delete"]) == 0

    gone = before - files(project)
    assert gone >= {LEFT, LEFT + sidecar_files.SIDECAR}
    assert {CURRENT, CURRENT + sidecar_files.SIDECAR} <= files(project)
    assert len(gone) == 4, "and the output's entry"
    assert Cache.at(project).fetch("sha256:new") is not None
    assert Cache.at(project).fetch("sha256:old") is None


@pytest.mark.parametrize("line", [("gc", "digits", "--delete"), ("adopt", "own.evidence")])
def test_beside_a_run_nothing_is_removed_or_adopted(project, capsys, line):
    with locks.claimed():
        before = files(project)

        assert main(list(line)) == 3

    assert files(project) >= before
    assert "another run is active in this folder" in capsys.readouterr().err
