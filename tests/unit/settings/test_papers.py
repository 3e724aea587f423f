"""The papers of a study: read from their files as these are now, however often a process reads them."""

import shutil
from pathlib import Path

import pytest

from touchstone.settings.files import ParamsError
from touchstone.settings.papers import read_papers
from touchstone.settings.problems import Problems

ENERGY = Path(__file__).parents[3] / "examples/papers/energy"


def test_a_paper_that_changes_is_read_as_it_is_now(tmp_path):
    shutil.copytree(ENERGY, tmp_path / "mine")
    file = tmp_path / "mine/claims.yaml"
    right = file.read_text()
    assert right.count("\ncriteria:") == 1

    def book():
        return read_papers({"./mine": "full"}, tmp_path, Problems(Path("params.yaml")))[1]

    before = book()
    file.write_text(right.replace("\ncriteria:", "\ncriterions:"))
    with pytest.raises(ParamsError, match="criterions: no such key"):
        book()
    file.write_text(right.replace("criterion: FPR95 lower by >= 5 points", "criterion: FPR95 lower by any points", 1))
    after = book()
    file.write_text(right)

    assert "any points" in after.criteria["Sebo-1"].text
    assert "any points" not in before.criteria["Sebo-1"].text
    assert book() == before
