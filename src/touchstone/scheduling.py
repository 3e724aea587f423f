"""How often Snakemake looks for jobs to start: when one has ended, and once a second; not once a second for each that ended.

Snakemake 9 sets a timer each time that it looks, and each timer makes it look, and set another: after n jobs it looks n
times a second. At 130 of 650 jobs that took a quarter of a core, and at all of them more than one.
"""

from __future__ import annotations

import threading
from typing import Any

from snakemake.scheduling.job_scheduler import JobScheduler


def use() -> None:
    """Let the scheduler of this process have one timer at a time."""

    def look_again(self: Any, delay: float) -> None:
        if getattr(self, "touchstone_waits", False):
            return

        def look() -> None:
            self.touchstone_waits = False  # first: who looks sets the next timer
            self._open_jobs.release()

        self.touchstone_waits = True
        timer = threading.Timer(delay, look)
        timer.daemon = True  # a finished run need not wait for it
        timer.start()

    JobScheduler._schedule_reevalutation = look_again
