"""touchstone as a module of another workflow, in another folder."""

import os
import subprocess
import sys
from pathlib import Path

from sheet_study import STUDY

ROOT = Path(__file__).parents[2]
OTHER = f"""
module touchstone:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: {{"study": "study.yaml"}}

use rule * from touchstone as touchstone_*

rule mine:
    input: "data/study/metrics/sheet.csv"
    output: "lines.txt"
    default_target: True
    shell: "wc -l < {{input}} > {{output}}"
"""


def test_another_workflow_uses_this_one_as_a_module_and_has_nothing_to_do_again(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "Snakefile").write_text(OTHER)
    triggers = ["--rerun-triggers", "mtime", "params", "input"]
    line = [sys.executable, "-m", "snakemake", "--cores", "1", "--nocolor", *triggers]
    environment = {**os.environ, "TOUCHSTONE_CACHE": "off"}
    environment.pop("PYTHONPATH", None)

    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)
    again = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)

    assert done.returncode == 0, done.stdout + done.stderr
    assert int((tmp_path / "lines.txt").read_text()) > 5
    assert "Nothing to be done" in again.stdout + again.stderr
    assert not (ROOT / "data/study").exists()
