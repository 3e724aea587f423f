"""What a job finds current stays as it is; everything else is computed; the chain of both is today's."""

from pathlib import Path

import pytest

from touchstone import digests
from touchstone.pipeline.jobs.outputs import Outputs, action_of
from touchstone.pipeline.provenance import sidecar_files

BUNDLE = "data/one.zip"


def facts(setting, sidecar="sha256:s"):
    link = {"file": "data/x", "artefact": "sha256:x", "sidecar": sidecar}
    return {
        "step": "score",
        "settings": setting,
        "inputs": {"of": [link]},
        "code": "sha256:c",
        "definitions": {"a.f": "a1"},
        "packages": {},
    }


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Outputs() as outputs:
        outputs.write(f"{BUNDLE}#a", b"a", facts(1))
        outputs.write(f"{BUNDLE}#b", b"b", facts(2))
        outputs.write("data/single.csv", b"c", facts(3))


def keep(outputs, address, wanted):
    return outputs.keep_current(address, action_of(wanted), wanted)


def test_a_member_of_the_same_action_is_kept_and_one_of_another_is_not(made):
    with Outputs() as outputs:
        assert keep(outputs, f"{BUNDLE}#a", facts(1, sidecar="sha256:t"))
        assert not keep(outputs, f"{BUNDLE}#b", facts(20))
        outputs.write(f"{BUNDLE}#b", b"bb", facts(20))

    kept = sidecar_files.read_sidecar(Path(f"{BUNDLE}#a"))
    assert sidecar_files.read_artefact(Path(f"{BUNDLE}#a")) == b"a"
    assert kept["inputs"]["of"][0]["sidecar"] == "sha256:t", "its place in the chain is today's"
    assert sidecar_files.read_artefact(Path(f"{BUNDLE}#b")) == b"bb"


def test_a_file_of_its_own_is_kept_too(made):
    with Outputs() as outputs:
        assert keep(outputs, "data/single.csv", facts(3, sidecar="sha256:t"))
        assert not keep(outputs, "data/single.csv", facts(4))

    assert sidecar_files.read_sidecar(Path("data/single.csv"))["inputs"]["of"][0]["sidecar"] == "sha256:t"


@pytest.mark.parametrize("address", [f"{BUNDLE}#a", "data/single.csv"])
def test_damaged_bytes_are_not_current(made, address):
    path = Path(address.partition("#")[0])
    path.write_bytes(path.read_bytes()[:-30] + b"x" * 30)
    setting = 1 if "#" in address else 3

    with Outputs() as outputs:
        assert not keep(outputs, address, facts(setting))


def test_a_job_that_fails_leaves_its_bundle_as_it_was(made):
    before = digests.file_digest(Path(BUNDLE))

    with pytest.raises(KeyError), Outputs() as outputs:
        outputs.write(f"{BUNDLE}#a", b"other", facts(9))
        raise KeyError

    assert digests.file_digest(Path(BUNDLE)) == before
    assert sidecar_files.read_sidecar(Path(f"{BUNDLE}#a"))["settings"] == 1


def test_folders_of_equal_bytes_and_other_names_are_inputs_of_other_actions():
    def action(role, file):
        link = {"file": file, "artefact": "sha256:x", "sidecar": "sha256:s"}
        return action_of(facts(1) | {"inputs": {role: [link]}})

    assert action("folder", "data/raw/a") != action("folder", "data/raw/b")
    assert action("folder", "data/raw/a") == action("folder", "elsewhere/raw/a")
    assert action("test", "data/raw/a") == action("test", "data/raw/b")
