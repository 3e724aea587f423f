"""Papers of a test's own in the place of those that come with touchstone."""

import pytest

from hand_made_papers import CLAIMS, COMMON, GRADES, STUDY
from touchstone.settings import papers
from touchstone.settings.draft import written_out
from touchstone.settings.layers import read_files
from touchstone.settings.problems import Problems
from touchstone.settings.sections import sections


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Reads a study beside the papers one and two, which ask what common.yaml does."""
    monkeypatch.setattr(papers, "SHIPPED", tmp_path / "papers")

    def files(study="", common=COMMON, params="", **experiments):
        for name in ("one", "two"):
            folder = tmp_path / "papers" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "claims.yaml").write_text(CLAIMS.format(name))
            (folder / "experiment.yaml").write_text(experiments.get(name, GRADES))
        (tmp_path / "papers/common.yaml").write_text(common)
        (tmp_path / "mine.yaml").write_text(study if "\ntitle:" in f"\n{study}" else STUDY + study)
        (tmp_path / "params.yaml").write_text(params or "scale: {}\n")
        problems = Problems(tmp_path / "params.yaml", tmp_path / "mine.yaml")
        return read_files(problems, sections(), tmp_path), problems

    return files


@pytest.fixture
def draft(files):
    """Returns the draft of such a study, before its entries are checked."""

    def draft(*arguments, **more):
        read, problems = files(*arguments, **more)
        result = written_out(read, sections(), problems)
        problems.stop()
        return result

    return draft
