"""What each job of a finished study took, for `touchstone check` where no job has run yet.

Run it where the study was computed from an empty store: `.venv/bin/python benchmarks/job_seconds.py digits`. It reads the
run records in logs/ and renews the study's part of benchmarks/results/job_seconds.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from touchstone.commands import _durations
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.plan import SHARED
from touchstone.settings.study import Study, load


def seconds(study: Study, logs: Path = Path("logs")) -> dict[str, float]:
    """Return the seconds of computing of each job, by rule/name.

    Raises:
        ValueError: A job computed nothing: its tasks were in the store, so its record says nothing of its cost.
    """
    found = {}
    for path in sorted(
        path for name in (study.name, SHARED) for path in (logs / name / run_records.FOLDER).glob("*/*.json")
    ):
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not record["computed"]:
            raise ValueError(f"{path}: the job computed nothing; run the study from an empty store")
        found[f"{record['rule']}/{record['name']}"] = round(record["cpu_seconds"], 1)
    return found


def main() -> None:
    """Renew the part of one study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    study = load(parser.parse_args().study)
    table = json.loads(_durations.TABLE.read_text()) if _durations.TABLE.exists() else {}
    table[study.name] = {
        "train": _durations.train_set(study),
        "epochs": _durations.epochs(study),
        "seconds": seconds(study),
    }
    _durations.TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
