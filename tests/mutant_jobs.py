"""Plan `tiny` with the code that is here, which may be a mutant's, and print as JSON what decides which jobs compute anew.

Run as `python mutant_jobs.py FOLDER` in a finished project. It writes the plans of the jobs to the folder.
mutants_by_bytes.py, which calls it, says what it shows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from touchstone.pipeline.jobs import job_plan
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import folder_of
from touchstone.provenance.store import Store
from touchstone.settings.study import load

STUDY = "tiny"


def keys(digest: str, inputs: list[str], output: str) -> dict[str, str]:
    """Return the key of each task of a job in the store, by its artefact; {} if the job stops before it looks there."""
    try:
        artefacts = Artefacts(job_plan.load(digest, inputs, output), Store(STUDY))
        return {task.output: artefacts.key(task) for task in artefacts.plan.tasks if task.is_cached}
    except Exception:  # noqa: BLE001
        return {}


def main(folder: Path) -> dict[str, Any]:
    """Return the facts of each job but downloads, whose bytes the settings pin."""
    plan, found = Plan(load(STUDY)), {}
    written = plan.write(folder=folder)
    for key, job in plan.jobs.items():
        if job.rule == "fetch":
            continue
        output = plan.layout.page if job.rule == "report" else folder_of(STUDY, str(job))
        inputs, digest = [folder_of(STUDY, name) for name in job.inputs], written[key]
        tasks = json.loads((folder / f"{digest}.json").read_text())["tasks"]
        found[str(job)] = {
            "digest": digest,  # Snakemake runs the job again if it changes
            "keys": keys(digest, inputs, output),
            "codes": sorted({task["code"] for task in tasks}),
            "outputs": [task["output"] for task in tasks],
            "words": ["job", digest, "--input", *inputs, "--output", output, "--threads", "1"],
        }
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
