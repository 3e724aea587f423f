"""How often Snakemake's scheduler looks for jobs to start."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

DEFAULT_LIMIT = (100, 1.0)  # job starts, seconds


def drop_default_rate_limit(workflow: Any) -> None:
    """Let Snakemake start jobs without a limit per second, unless somebody asked for another one than its default.

    With a limit, the scheduler sets a timer each time it looks for jobs, and each timer makes it look again: after n jobs
    it looks n times a second. At 130 of 650 jobs that took a quarter of a core. The limit itself, 100 starts a second, is
    never reached. Snakemake's API can leave it out; its command line cannot.

    Args:
        workflow: Snakemake's, in `onstart`: its scheduler exists and has not looked for jobs yet.
    """
    with suppress(AttributeError):  # another Snakemake keeps its limit
        limit = workflow.scheduling_settings.max_jobs_per_timespan
        if limit is not None and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
            workflow.scheduler.job_rate_limiter = None
