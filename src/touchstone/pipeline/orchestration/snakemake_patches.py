"""Change one attribute of a running Snakemake, and no method. The change only saves time.

Snakemake versions that were not tested run unchanged, with a warning.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

TESTED = (9, 3), (9, 27)  # the first and the last version
DEFAULT_LIMIT = (100, 1.0)  # job starts, seconds


def drop_default_rate_limit(workflow: Any) -> str | None:
    """Remove Snakemake's default limit of job starts per second; keep any other limit.

    With a limit, the scheduler sets a timer each time it looks for jobs, and each timer makes it look again. After n jobs
    it looks n times a second: after 130 of 650 jobs that used a quarter of a core. The limit itself, 100 starts a second,
    is never reached. Snakemake's API can omit it; its command line cannot.

    Args:
        workflow: Snakemake's workflow in `onstart`: its scheduler exists and has not looked for jobs yet.

    Returns:
        None, or a sentence that explains why the limit was kept.
    """
    installed = version("snakemake")
    numbers = tuple(int(part) for part in installed.split(".")[:2] if part.isdecimal())
    try:
        limit = workflow.scheduling_settings.max_jobs_per_timespan
        limiter = workflow.scheduler.job_rate_limiter
    except AttributeError:
        numbers, limit, limiter = (), None, None
    if not TESTED[0] <= numbers <= TESTED[1]:
        first, last = (".".join(map(str, end)) for end in TESTED)
        return f"this is Snakemake {installed}; touchstone was tested with {first} to {last} and keeps its rate limit"
    if limiter is not None and limit is not None and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        workflow.scheduler.job_rate_limiter = None
    return None
