"""One GPU for each job: which GPUs this machine has, and a claim that ends with its process.

A claim is a lock on a file outside the project's folder, so runs in different folders do not share a GPU either. The
kernel releases it whenever its process ends, also after kill -9.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
SHARED = "TOUCHSTONE_JOBS_PER_GPU"  # how many jobs may use a GPU at a time; 1 by default
LIST = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
POLL, REMINDER = 0.5, 60.0  # seconds between two looks for a free GPU, and between two messages

_claimed: list[Any] = []  # the lock of this process; it ends with the process


def visible() -> list[str]:
    """Return the GPUs that jobs may use, by UUID if nvidia-smi lists them; empty if none is known.

    CUDA_VISIBLE_DEVICES, which clusters set, limits them. A number in it is a position in nvidia-smi's list.
    """
    try:
        output = subprocess.run(LIST, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        output = ""
    listed = [word for word in output.split() if word.startswith(("GPU-", "MIG-"))]  # it may print a sentence instead
    if (chosen := os.environ.get(VISIBLE)) is None:
        return listed
    named = [word.strip() for word in chosen.split(",") if word.strip()]
    named = named[: named.index("-1")] if "-1" in named else named
    return [listed[int(word)] if word.isdecimal() and int(word) < len(listed) else word for word in named]


def jobs_per_gpu() -> int:
    """Return how many jobs may use a GPU at a time.

    Raises:
        ValueError: TOUCHSTONE_JOBS_PER_GPU is not a whole number above 0.
    """
    text = os.environ.get(SHARED, "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{SHARED}={text}: expected a whole number, 1 or more")
    return int(text)


def claim() -> str | None:
    """Claim a GPU for this process until it ends, and make it the only one that torch sees.

    If all are in use, wait. Call it before torch uses a GPU.

    Returns:
        The GPU as CUDA_VISIBLE_DEVICES names it; None if this machine lists none.
    """
    gpus = visible()
    if not gpus or _claimed:
        return os.environ.get(VISIBLE) if _claimed else None
    user = os.getuid() if hasattr(os, "getuid") else "own"  # the temporary folder of Windows is the user's own
    folder = Path(tempfile.gettempdir()) / f"touchstone-gpus-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    reminder = time.monotonic()
    while True:
        for slot in range(jobs_per_gpu()):  # an idle GPU before a second job on a busy one
            for gpu in gpus:
                if _locked(folder / f"{gpu.replace('/', '_')}.{slot}"):
                    os.environ[VISIBLE] = gpu
                    return gpu
        if time.monotonic() >= reminder:
            reminder += REMINDER
            print(
                f"touchstone: waiting for a GPU: other jobs use all of {', '.join(gpus)}", file=sys.stderr, flush=True
            )
        time.sleep(POLL)


def _locked(path: Path) -> bool:
    from filelock import FileLock, Timeout  # a Snakemake that only plans may lack it

    lock = FileLock(path, timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        return False
    _claimed.append(lock)
    return True
