"""What is adopted lies in the store under the key that a job looks up, with a mark; what is in the way is named."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from job_files import FACTS, write_job
from touchstone.evidence import adoption
from touchstone.pipeline.planning.parts import Job, Task
from touchstone.pipeline.provenance import code, store
from touchstone.records.encoding import encode
from touchstone.records.nouns import LeftOut, Scores

FILE = "results/own/detect/net.0/scores/net.0/msp/tested.safetensors"
TASK = Task("score", {}, FILE, {})
SCORES = encode(Scores(np.ones(2), np.arange(2), np.arange(2)))
SELECTION = SimpleNamespace(
    plan=SimpleNamespace(study=SimpleNamespace(name="own"), jobs={("detect", "net.0"): Job("detect", "net.0", (TASK,), ())}),
    tasks={FILE: TASK},
    files=[FILE],
)  # fmt: skip


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    """A function that unpacks evidence with one artefact of these bytes, made by the code here; the project is empty."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(code, "code_of", lambda step, settings: code.Code(FACTS["code"], FACTS["definitions"], {}))

    def unpacked(data, **facts):
        write_job(tmp_path / "e/results/own/detect/net.0", {"scores/net.0/msp/tested.safetensors": data}, **facts)
        return tmp_path / "e"

    return unpacked


def found():
    """What a job of the study finds."""
    key = store.key_of("score", FACTS["code"], {}, {})
    return store.Store("own").find("detect", key, "scores/net.0/msp/tested")


def test_a_job_finds_what_was_adopted_with_the_mark_and_the_facts_of_its_computer(evidence):
    assert adoption.adopt(SELECTION, evidence(SCORES, cpu="theirs", python="3.11"), "sha256:e") == 1

    result = found()
    assert result.path.read_bytes() == SCORES
    assert sorted(Path("data/own").iterdir()) == [Path("data/own/detect")], "the folder of its rule, which DVC carries"
    assert [result.record[name] for name in ("adopted", "cpu", "python")] == ["sha256:e", "theirs", "3.11"]
    assert "left_out" not in result.record


def test_a_result_that_was_left_out_is_adopted_as_one(evidence):
    assert adoption.adopt(SELECTION, evidence(encode(LeftOut("one class"))), "sha256:e") == 1

    assert found().record["left_out"] is True


def test_an_own_result_with_the_same_bytes_stays_without_a_mark(evidence):
    folder = evidence(SCORES)
    store.Store("own").keep("detect", store.key_of("score", FACTS["code"], {}, {}), SCORES, {})

    assert adoption.adopt(SELECTION, folder, "sha256:e") == 0
    assert "adopted" not in found().record


def test_an_adoption_that_was_interrupted_is_taken_up_again(evidence):
    """Killed after it wrote a result, and before its record."""
    folder = evidence(SCORES)
    adoption.adopt(SELECTION, folder, "sha256:e")
    store.record_path(found().path).unlink()
    assert found() is None

    assert adoption.adopt(SELECTION, folder, "sha256:e") == 1
    assert found().record["adopted"] == "sha256:e"


@pytest.mark.parametrize(
    ("own", "facts", "words"),
    [
        (encode(LeftOut("one class")), {}, f"{FILE}: the store has it already, with other bytes; delete data/own/detect/"),
        (None, {"code": "sha256:d", "definitions": {"a.f": "a2"}}, r"was created by other code .* \(a\.f\); install"),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_named_and_nothing_is_written(evidence, own, facts, words):
    folder = evidence(SCORES, **facts)
    if own is not None:
        store.Store("own").keep("detect", store.key_of("score", FACTS["code"], {}, {}), own, {})
    before = sorted(Path().rglob("*"))

    with pytest.raises(ValueError, match=words):
        adoption.adopt(SELECTION, folder, "sha256:e")

    assert sorted(Path().rglob("*")) == before


def test_evidence_without_an_artefact_is_refused(evidence):
    folder = evidence(SCORES)
    (folder / FILE).unlink()

    with pytest.raises(ValueError, match="is not in the evidence; ask for evidence of all claims, with weights"):
        adoption.adopt(SELECTION, folder, "sha256:e")
