"""The environment of a job's process: pinned CPU paths, threads, memory."""

from __future__ import annotations

import os
import sys
from typing import Any

from touchstone.numerics import cpu_paths, precision
from touchstone.pipeline.jobs.reader import JobError
from touchstone.pipeline.planning.steps import STEPS

# Keep freed memory in the process: gradient norms took twice as long without.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}


def environment(threads: int) -> dict[str, str]:
    """Return the environment of every job: its threads, code paths and allocator."""
    counts = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
    return cpu_paths.pinned() | ALLOCATOR | counts | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def set_environment(threads: int) -> bool:
    """Set the environment of a job, here and for what this process starts; return whether that changed anything.

    Pins of another machine's processor are dropped: a job may come from a login node.
    """
    before, wanted = dict(os.environ), environment(threads)
    for name in cpu_paths.PINNED.keys() - wanted.keys():
        os.environ.pop(name, None)
    os.environ.update(wanted)
    return dict(os.environ) != before


def prepare_process(step: str, threads: int) -> None:
    """Start the process again in the environment that its job needs, where the workflow has not set it already.

    numpy and torch read it when they are imported.
    """
    if set_environment(threads if STEPS[step].torch else 1):
        os.execv(sys.executable, [sys.executable, "-m", "touchstone", *sys.argv[1:]])


def _set_up_torch(settings: dict[str, Any]) -> None:
    import torch

    torch.set_num_threads(settings["threads"])
    # What torch.use_deterministic_algorithms(True) does, less its import of the compiler: 1.1 s of every job.
    torch._C._set_deterministic_algorithms(True, warn_only=False)
    torch.backends.cudnn.benchmark = False
    precision.set_up(settings)
    if settings["device"] == "cuda" and not torch.cuda.is_available():
        raise JobError("study.device is cuda, but torch finds no GPU here; set it to cpu")
