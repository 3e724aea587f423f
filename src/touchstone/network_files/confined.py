"""A reader of other people's files in a process of its own, with limits of time and memory."""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PACKAGES = Path(__file__).parents[2]
SHARE = 0.75  # of this machine's memory


def confined(function: str, path: Path, target: Path, *, seconds: int) -> None:
    """Call a function with a file to read and a path to write, in a process with limits.

    Args:
        function: "module:function". It raises a ValueError that says what is wrong with the file.
        path: to read.
        target: to write.
        seconds: that the call may take.

    Raises:
        ValueError: If the function raises one, or if it exceeds a limit.
    """
    folders = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", __name__, function, str(path.absolute()), str(target.absolute())]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=environment, timeout=seconds, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ValueError(f"{path}: reading it took more than {seconds} s, so it was stopped") from None
    if done.returncode < 0:
        raise ValueError(f"{path}: the process that read it was killed (signal {-done.returncode})")
    if done.returncode:
        *_, last = done.stderr.decode(errors="replace").splitlines() or [f"exit code {done.returncode}"]
        last = last.replace(str(path.absolute()), str(path))  # as it was typed
        raise ValueError(last if str(path) in last else f"{path}: it cannot be read ({last})")


def main(name: str, path: str, target: str) -> int:
    """Call the function within the limits.

    Write what is wrong to stderr, as the last line.
    """
    most = int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    allowed = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, function = name.partition(":")
    called: Callable[[Path, Path], None] = getattr(importlib.import_module(module), function)
    try:
        called(Path(path), Path(target))
    except ValueError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
