"""`touchstone costs STUDY`: print what a study's jobs took in time and memory, from their run records."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from touchstone.commands._command_line import add_study
from touchstone.commands._templates import rendered
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.provenance import chain, sidecar_files, whole_files
from touchstone.pipeline.settings.study import Study, load
from touchstone.report import methods
from touchstone.report.workflow_picture import workflow_picture
from touchstone.statistics.sanity_checks import only_checks

COLUMNS = ("step", "jobs", "files", "from cache", "minutes", "CPU minutes", "peak GB", "longest")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `costs`."""
    add_study(parser)


def main(options: argparse.Namespace) -> int:
    """Print the costs of a study per step and write them as a page."""
    study = load(options.study)
    return show(study.name, check_attacks(study))


def check_attacks(study: Study) -> set[str]:
    """Return the attacks that only check other attacks: no other evaluation reads them."""
    evaluations = study["evaluations"].values()
    checking = {attack for one in evaluations if only_checks(one["use"]) for attack in one["attacks"]}
    return checking - {attack for one in evaluations if not only_checks(one["use"]) for attack in one["attacks"]}


def show(study: str, checks: Collection[str] = ()) -> int:
    """Print a study's costs per step and write logs/STUDY/costs.html.

    Args:
        study: its name.
        checks: the attacks that only check other attacks.

    Raises:
        ValueError: the study has no run records.
    """
    logs = Path("logs") / study
    records = run_records.read(logs)
    finished = [record for record in records if "end" in record]
    if not finished:
        raise ValueError(
            f"{logs / run_records.FOLDER}: no run records; run the study first, or name one that was run here"
        )
    rows = [cost.cells() for cost in costs(finished)]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    for row in (COLUMNS, *rows):
        print("  ".join(cell.rjust(width) if place else cell.ljust(width)
                        for place, (cell, width) in enumerate(zip(row, widths, strict=True))))  # fmt: skip
    notes = _notes(records) + _share_of_checks(finished, checks)
    print(notes)
    page = logs / "costs.html"
    picture = _picture(study, {row[0]: f"{row[4]} min" for row in rows})
    text = rendered("costs.html", study=study, columns=COLUMNS, rows=rows, notes=notes, picture=picture)
    whole_files.write_whole(page, text.encode(), lasting=False)
    print(f"The page: {page}")
    return 0


def _picture(study: str, minutes: dict[str, str]) -> str:
    """Return the steps of the study's workflow with their minutes as SVG; "" as long as there is no report."""
    page = Path("reports") / study / "report.html"
    if not sidecar_files.exists(page):
        return ""
    sidecars = chain.reached(Path(), [str(page)])
    sources = {
        file: {"step": one["step"], "inputs": [link["file"] for link in chain.links(one)]}
        for file, one in sidecars.items()
    }
    return workflow_picture(methods.stages(sources, sources), minutes)


@dataclass(frozen=True)
class Cost:
    """What all jobs of one step took together."""

    step: str
    jobs: int
    files: int
    from_cache: int
    seconds: float
    cpu_seconds: float
    peak_bytes: float
    longest: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells of this row of the table."""
        numbers = (f"{self.seconds / 60:.1f}", f"{self.cpu_seconds / 60:.1f}", f"{self.peak_bytes / 1e9:.2f}")
        return (self.step, str(self.jobs), str(self.files), str(self.from_cache), *numbers, self.longest)


def costs(records: list[dict[str, Any]]) -> list[Cost]:
    """Return the cost of each step, the longest first, and last the cost of all steps together."""
    steps = defaultdict(list)
    for record in records:
        steps[record["step"]].append(record)
    per_step = [_cost(step, of_step) for step, of_step in steps.items()]
    return [*sorted(per_step, key=lambda cost: -cost.seconds), _cost("all", records)]


def _cost(step: str, records: list[dict[str, Any]]) -> Cost:
    longest = max(records, key=_seconds)
    return Cost(
        step,
        jobs=len(records),
        files=sum(len(record["outputs"]) for record in records),
        from_cache=sum(record.get("from_cache", 0) for record in records),
        seconds=sum(map(_seconds, records)),
        cpu_seconds=sum(record["cpu_seconds"] for record in records),
        peak_bytes=max(record["peak_bytes"] for record in records),
        longest=f"{' '.join([longest['rule'], *longest['wildcards'].values()])} ({_seconds(longest):.0f} s)",
    )


def _share_of_checks(records: list[dict[str, Any]], attacks: Collection[str]) -> str:
    """Return which share of the jobs' time the checks of attacks took; "" if none were made."""
    checks = (record for record in records if all(Path(file).stem in attacks for file in record["outputs"]))
    seconds = sum(map(_seconds, checks))
    return f" Checks of attacks: {seconds / sum(map(_seconds, records)):.1%} of the time." if seconds else ""


def _seconds(record: dict[str, Any]) -> float:
    return (datetime.fromisoformat(record["end"]) - datetime.fromisoformat(record["start"])).total_seconds()


def _notes(records: list[dict[str, Any]]) -> str:
    """Return the hosts and commits of the jobs, and how many failed or were interrupted."""
    hosts = sorted({record["host"] for record in records})
    commits = sorted({f"{(r['commit'] or 'none')[:10]}{' with changes' if r['dirty'] else ''}" for r in records})
    cut = sum("end" not in record for record in records)
    failed = sum(record.get("failed", False) for record in records)
    return (
        f"Hosts: {', '.join(hosts)}. Commits: {', '.join(commits)}. Failed: {failed}; cut off or still running: {cut}."
    )
