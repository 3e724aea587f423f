"""The record of a job, from the sidecars of its outputs."""

import pytest

from touchstone.pipeline.auditing.broken_links import Sidecars
from touchstone.pipeline.orchestration.restore import record_of
from touchstone.pipeline.planning.parts import Rule

OLD, NEW = "sha256:01", "sha256:02"


def params(tmp_path, *code):
    """Return the params of a job whose outputs were computed by these versions of its code."""
    sidecars = {f"data/{place}": {"inputs": {}, "settings": {}, "code": one} for place, one in enumerate(code)}
    return record_of(Rule("attack", "attack", ()), sidecars, Sidecars(tmp_path))["params"]


@pytest.mark.parametrize("mixed", [(OLD, NEW), (NEW, OLD), (OLD, NEW, NEW), (NEW, OLD, NEW)])
def test_a_job_whose_code_was_edited_while_it_ran_is_neither_of_the_old_code_nor_of_the_new(tmp_path, mixed):
    whole = [params(tmp_path, *(version for _ in mixed)) for version in (OLD, NEW)]

    assert params(tmp_path, *mixed) not in whole
