"""A study of four jobs, in seconds, for tests of what happens around jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projects import ROOT

FEW = """
title: Few
data:
  sources:
    sklearn_digits: {use: sklearn_digits, sha256: "sha256:e34d9899136e13080fb109e32926b3834fe0fff9e83100089bb8e09c9e47ac94"}
  calibration: {digits_test: {use: digits, source: sklearn_digits, part: test, limit: 60}}
change:
  evaluations:
    sheet: {use: data_sheet, examples: [digits_test], system: shared, question: What is in it, resamples: 10}
"""


@pytest.fixture
def clone(bare: Any, tmp_path: Path) -> Any:
    """A copy of the repository in a folder whose name has a space, with nothing run in it."""
    return bare.copy(tmp_path / "a clone")


@pytest.fixture(scope="session")
def few(made_once: Callable[[str, Callable[[Any], object]], Any]) -> Any:
    """A copy of the repository with the study run in it. Tests that change anything copy it."""

    def fill(project: Any) -> None:
        (project.root / "workflow/studies/few.yaml").write_text(FEW)
        project.snakemake("--cores", "1", study="few")

    return made_once("few", fill)


@pytest.fixture
def study(clone: Any) -> Callable[[str], str]:
    """A function that puts the study into a folder of the clone and returns its path from there."""

    def put(folder: str = "workflow/studies") -> str:
        (clone.root / folder).mkdir(exist_ok=True)
        (clone.root / folder / "few.yaml").write_text(FEW)
        return f"{folder}/few.yaml"

    return put


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of params.yaml that a test may damage, and a folder for a study."""
    (tmp_path / "workflow" / "studies").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    return tmp_path
