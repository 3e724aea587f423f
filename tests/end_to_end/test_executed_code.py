"""What the jobs of a study execute, and the files of the package that they open, are in the digests of their code."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import forks

SCRIPT = Path(__file__).parents[1] / "executed_code.py"


def test_the_digests_of_the_jobs_of_tiny_miss_nothing(tiny, tmp_path):
    project = tiny.copy(tmp_path / "copy")
    for folder in ("data/tiny", "results/tiny", "reports/tiny"):
        shutil.rmtree(project.root / folder)
    variables = forks.VARIABLES | {"PYTHONPATH": str(project.root / "src")}

    done = replace(project, environment=variables).run([sys.executable, str(SCRIPT), "tiny"])

    *missed, last = done.stdout.splitlines()
    assert missed == []
    assert int(last.split()[0]) > 500
