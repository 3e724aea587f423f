"""What a verification says that it trusts."""

from types import SimpleNamespace

import pytest

from touchstone.audit import verdict_checks, verification
from touchstone.audit.problems import Result
from touchstone.audit.verification import Options


@pytest.mark.parametrize(
    ("use", "words"),
    [("effort", "only the attacks counted them"), ("training_length", "only the training measured them")],
)
def test_numbers_that_only_their_job_recorded_are_taken_on_trust(monkeypatch, use, words):
    monkeypatch.setattr(verdict_checks, "own_criteria", lambda selection: [])
    task = SimpleNamespace(step="evaluate", settings={"component": {"use": f"evaluations/{use}"}})
    study = {"evaluations": {use: {}}}
    selection = SimpleNamespace(
        tasks={"rows": task}, files=["rows"], evaluations=[use], plan=SimpleNamespace(study=study)
    )
    result = Result()

    verification._say_what_is_trusted(selection, {}, Options(), result)

    assert [sentence for sentence in result.trusted if words in sentence]
