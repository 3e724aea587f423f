"""Run a study in any folder: with Snakemake in a clone of touchstone, without it elsewhere."""

from __future__ import annotations

from pathlib import Path

from touchstone.pipeline.orchestration import direct_run, locks


def in_clone() -> bool:
    """Return whether the current folder is a clone of touchstone, in which Snakemake runs studies."""
    return Path("Snakefile").is_file() and Path("params.yaml").is_file()


def run(study: str, cores: str) -> int:
    """Run a study; arguments and exit codes are those of `snakemake_run.run`."""
    if in_clone():
        from touchstone.pipeline.orchestration import snakemake_run  # it needs packages of the extra `workflow`

        return snakemake_run.run(study, cores)
    try:
        return direct_run.run(study, cores)
    except locks.Busy as error:
        return locks.report_busy(error)
