"""What a system that is not Linux lacks: pidfd on macOS; fcntl, resource and fork, too, on Windows."""

import os
import subprocess
import sys

from touchstone.pipeline.jobs import warm

WITHOUT = """
import os, sys
import psutil  # that of Linux needs them; that of Windows does not
sys.modules["fcntl"] = sys.modules["resource"] = None
for name in ("pidfd_open", "fork", "getuid", "killpg"):
    delattr(os, name)
import touchstone.pipeline.jobs.run, touchstone.pipeline.orchestration.workflow_functions
import touchstone
touchstone.evaluate  # is imported now
"""


def test_without_pidfd_every_job_has_a_process_of_its_own(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delenv(warm.VARIABLE, raising=False)

    warm.start()

    assert warm.VARIABLE not in os.environ and warm.run(["job"], 1) is None


def test_without_fcntl_and_resource_the_library_and_jobs_can_be_imported():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
