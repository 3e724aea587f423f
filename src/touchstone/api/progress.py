"""A line of progress for calls from a notebook that take long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from touchstone.messages import time_left

AFTER, EVERY = 3.0, 0.5  # seconds until the line of progress appears, and between its updates
LOGGED = 60.0  # seconds between two lines where no terminal overwrites them


@contextmanager
def counted(label: str, total: int, progress: bool | None) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each step, and show progress on stderr while the block takes long.

    A terminal shows one line that changes; a file or a pipe gets a line a minute.

    Args:
        label: what the line begins with.
        total: number of steps.
        progress: whether to show progress; None: if stderr is a terminal.
    """
    done, start, end = 0, time.monotonic(), threading.Event()

    def step() -> None:
        nonlocal done
        done += 1

    def state() -> str:
        seconds = time.monotonic() - start
        return f"{label}: {done} of {total} steps, {seconds:.0f} s{time_left(done, total, seconds)}"

    def show() -> None:
        line, wait = "", AFTER
        while not end.wait(wait):
            before, line, wait = len(line), state(), EVERY
            print(f"\r{line:{before}}", end="", file=sys.stderr, flush=True)
        if line:
            print(f"\r{' ' * len(line)}\r", end="", file=sys.stderr, flush=True)

    def log() -> None:
        while not end.wait(LOGGED):
            print(state(), file=sys.stderr, flush=True)

    terminal = sys.stderr.isatty()
    if not (terminal if progress is None else progress):
        yield step
        return
    shown = threading.Thread(target=show if terminal else log, name="touchstone progress", daemon=True)
    shown.start()
    try:
        yield step
    finally:
        end.set()
        shown.join()
