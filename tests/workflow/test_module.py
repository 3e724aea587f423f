"""touchstone as a module of another workflow, in another folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sheet_study import STUDY

ROOT = Path(__file__).parents[2]
OTHER = f"""
module tiny:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: {{"study": "study.yaml"}}

use rule * from tiny as tiny_*

rule mine:
    input: "results/study/evaluate/shared", "reports/study/report.html"
    output: "lines.txt"
    default_target: True
    shell: "wc -l < {{input[0]}}/metrics/sheet.csv > {{output}}"
"""
PREFIXED = OTHER.replace("    config:", '    prefix: "x"\n    config:').replace('"results/', '"x/results/')
PREFIXED = PREFIXED.replace('"reports/', '"x/reports/')


@pytest.fixture
def snakemake(tmp_path):
    """A function that runs Snakemake in the other folder, and returns what it said."""
    (tmp_path / "study.yaml").write_text(STUDY)
    triggers = ["--rerun-triggers", "mtime", "params", "input"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments):
        line = [sys.executable, "-m", "snakemake", "--cores", "1", "--nocolor", *triggers, *arguments]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)
        logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
        assert done.returncode == 0, done.stdout + done.stderr + logs
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize(("workflow", "prefix"), [(OTHER, ""), (PREFIXED, "x")], ids=["as it is", "with a prefix"])
def test_another_workflow_uses_this_one_as_a_module_and_has_nothing_to_do_again(tmp_path, snakemake, workflow, prefix):
    (tmp_path / "Snakefile").write_text(workflow)

    snakemake()
    again = snakemake()

    assert int((tmp_path / "lines.txt").read_text()) > 5
    assert (tmp_path / prefix / "reports/study/ROOT").is_file()
    assert "Nothing to be done" in again
    assert not any((ROOT / folder / "study").exists() for folder in ("data", "results", "reports"))
