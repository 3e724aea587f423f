"""The methods of Snakemake that are replaced at run time, so that a plan of 700 jobs takes seconds.

Each only saves time. A Snakemake that they were not tested with runs without them, with a warning.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from touchstone.pipeline.orchestration.restore import Restored
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance.sidecar_files import SIDECAR

TESTED = (9, 17), (9, 27)  # the first and the last version; the methods are the same in all between
REPLACED = {  # the arguments of each method
    "snakemake.output_index:OutputIndex.__init__": ("self", "rules"),
    "snakemake.output_index:OutputIndex.match_producers": ("self", "targetfile"),
    "snakemake.rules:Rule.get_wildcards": ("self", "requested_output", "wildcards_dict"),
    "snakemake.persistence.file:FilePersistence._read_record_cached": ("self", "key"),
    "snakemake.persistence.file:FilePersistence._clear_cache": ("self",),
}


def use(plan: Plan, restored: Restored | None = None) -> str | None:
    """Replace the methods in this process.

    Args:
        plan: Knows which rule makes a file.
        restored: What a restore has just read of Snakemake's records; None in a job on a cluster.

    Returns:
        None, or a sentence that says why none was replaced.
    """
    if why := _untested():
        tested = " to ".join(".".join(map(str, end)) for end in TESTED)
        return (
            f"{why}; touchstone was tested with {tested}, so it replaces nothing in this one, and planning takes longer"
        )
    _match(plan)
    if restored is not None:
        _hand_over(restored)
    return None


def _untested() -> str | None:
    """Return what is different about this Snakemake; None for a version that the replacements were tested with."""
    installed = version("snakemake")
    first, last = TESTED
    if not first <= tuple(int(part) for part in installed.split(".")[:2] if part.isdecimal()) <= last:
        return f"this is Snakemake {installed}"
    for place, arguments in REPLACED.items():
        module, _, path = place.partition(":")
        owner, _, name = path.partition(".")
        try:
            method = vars(getattr(importlib.import_module(module), owner))[name]
            same = tuple(inspect.signature(method).parameters) == arguments
        except (ImportError, AttributeError, KeyError):
            same = False
        if not same:
            return f"Snakemake {installed} has no {path}({', '.join(arguments)})"
    return None


def _match(plan: Plan) -> None:
    """Let Snakemake's index of outputs and its rules ask the plan which rule makes a file.

    Snakemake 9 compares each file that a job reads with each output of each rule: 11 of 12 s for 590 jobs with 12,000
    files. Files that the plan does not contain (pages of the report, mistyped paths) are looked up in Snakemake's own way.
    """
    from snakemake.output_index import OutputIndex
    from snakemake.rules import Rule as SnakemakeRule

    start, search, match = OutputIndex.__init__, OutputIndex.match_producers, SnakemakeRule.get_wildcards

    @cache
    def maker(file: str) -> tuple[Rule, dict[str, str]] | None:
        try:
            return plan.maker(file.removesuffix(SIDECAR))
        except KeyError:
            return None

    def started(self: Any, rules: Any) -> None:
        start(self, rules)
        self.touchstone_rules = {rule.name: rule for rule in rules}

    def producers(self: Any, targetfile: str) -> Any:
        if (made_by := maker(str(targetfile))) is None:
            return search(self, targetfile)
        rule = self.touchstone_rules.get(made_by[0].name)  # None: a job on a cluster may use only some of the rules
        return set() if rule is None else {rule}

    def wildcards(self: Any, requested_output: Any, wildcards_dict: Any = None) -> Any:
        made_by = None if requested_output is None else maker(str(requested_output))
        if made_by is None or made_by[0].name != self.name:
            return match(self, requested_output, wildcards_dict=wildcards_dict)
        return dict(made_by[1])

    OutputIndex.__init__, OutputIndex.match_producers = started, producers
    SnakemakeRule.get_wildcards = wildcards


def _hand_over(restored: Restored) -> None:
    """Let Snakemake take its records from a restore until the first job starts: jobs write new ones.

    There is one record per file, and each lists all inputs of the job: 144 MB for 700 jobs. Snakemake reads the records
    of a job four times, and keeps 128 of them, so it reads those of a job with more files again each time.
    """
    from snakemake.persistence import MetadataRecord
    from snakemake.persistence.file import FilePersistence

    restored_records = {file: record for job in restored.finished for file, record in job.kept.items()}
    most = max((len(job.kept) for job in restored.finished), default=0)
    read, forget = inspect.unwrap(FilePersistence._read_record_cached), FilePersistence._clear_cache

    @lru_cache(maxsize=max(128, most))
    def record(self: Any, key: str) -> Any:
        return MetadataRecord.model_validate(restored_records[key]) if key in restored_records else read(self, key)

    def forgotten(self: Any) -> None:
        restored_records.clear()
        forget(self)

    FilePersistence._read_record_cached, FilePersistence._clear_cache = record, forgotten
