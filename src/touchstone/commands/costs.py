"""`touchstone costs`: what a study's jobs took in time and memory, from their run records. Outside all digests."""

from __future__ import annotations

import html
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.provenance import whole_files

COLUMNS = ("step", "jobs", "files", "from cache", "minutes", "CPU minutes", "peak GB", "longest")
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Costs of {study}</title>
<style>body {{ font: 15px/1.5 system-ui; margin: 3rem auto; max-width: 60rem }}
td, th {{ padding: .2rem .8rem; text-align: right }} tr:last-child {{ font-weight: 600; border-top: 1px solid }}
td:first-child, th:first-child, td:last-child {{ text-align: left }}
table {{ border-collapse: collapse }}</style>
<h1>What the study {study} cost</h1>
<p>Each job's last run. {notes}</p>
<table>
{rows}
</table>
</html>
"""


@dataclass(frozen=True)
class Cost:
    """What the jobs of one step took together."""

    step: str
    jobs: int
    files: int
    from_cache: int
    seconds: float
    cpu_seconds: float
    peak_bytes: float
    longest: str

    def cells(self) -> tuple[str, ...]:
        """Return the row as it is shown."""
        numbers = (f"{self.seconds / 60:.1f}", f"{self.cpu_seconds / 60:.1f}", f"{self.peak_bytes / 1e9:.2f}")
        return (self.step, str(self.jobs), str(self.files), str(self.from_cache), *numbers, self.longest)


def show(study: str) -> int:
    """Print a study's costs per step and write them as logs/STUDY/costs.html; 1 where no job has a run record."""
    logs = Path("logs") / study
    records = run_records.read(logs)
    finished = [record for record in records if "end" in record]
    if not finished:
        raise ValueError(f"{logs / run_records.FOLDER}: no run records; run the study first")
    rows = [COLUMNS, *(cost.cells() for cost in costs(finished))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) if not place else cell.rjust(width)
                        for place, (cell, width) in enumerate(zip(row, widths, strict=True))))  # fmt: skip
    notes = _notes(records)
    print(notes)
    page = logs / "costs.html"
    whole_files.write_whole(page, _page(study, rows, notes).encode(), lasting=False)
    print(f"The page: {page}")
    return 0


def costs(records: list[dict[str, Any]]) -> list[Cost]:
    """Return the cost of each step, the dearest first, and last of all together."""
    steps = defaultdict(list)
    for record in records:
        steps[record["step"]].append(record)
    found = [_cost(step, of_step) for step, of_step in steps.items()]
    return [*sorted(found, key=lambda cost: -cost.seconds), _cost("all", records)]


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


def _seconds(record: dict[str, Any]) -> float:
    return (datetime.fromisoformat(record["end"]) - datetime.fromisoformat(record["start"])).total_seconds()


def _notes(records: list[dict[str, Any]]) -> str:
    """Return where and from which commits the jobs ran, and how many did not end well."""
    hosts = sorted({record["host"] for record in records})
    commits = sorted({f"{(r['commit'] or 'none')[:10]}{' with changes' if r['dirty'] else ''}" for r in records})
    cut = sum("end" not in record for record in records)
    failed = sum(record.get("failed", False) for record in records)
    return (
        f"Hosts: {', '.join(hosts)}. Commits: {', '.join(commits)}. Failed: {failed}; cut off or still running: {cut}."
    )


def _page(study: str, rows: list[tuple[str, ...]], notes: str) -> str:
    lines = []
    for place, row in enumerate(rows):
        tag = "td" if place else "th"
        lines.append("<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>")
    return PAGE.format(study=html.escape(study), notes=html.escape(notes), rows="\n".join(lines))
