"""Progress files of long jobs, and saved states to resume trainings from.

Neither is an input of a job.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.provenance import whole_files

UNFINISHED = Path(".touchstone/unfinished")
INTERVAL = 0.5  # seconds between two writes of a progress file


def progress_folder(logs: Path) -> Path:
    """Return the folder of the progress files, one per running long job."""
    return logs / "progress"


@contextmanager
def reported(label: str, logs: Path) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (done, total) that updates a progress file.

    The file is deleted at the end of the block.

    Args:
        label: The artefact that the job creates.
        logs: The study's log folder.
    """
    name = Path(label).with_suffix("").as_posix().replace("/", "_")
    path = progress_folder(logs) / f"{name}.json"
    last, writable = 0.0, True

    def report(done: int, total: int) -> None:
        nonlocal last, writable
        if writable and ((now := time.monotonic()) - last >= INTERVAL or done == total):
            last = now
            state = {"label": Path(label).stem, "done": done, "total": total}
            writable = whole_files.write_or_warn(path, json.dumps(state).encode(), "The job's progress is not shown.")

    try:
        yield report
    finally:
        with suppress(OSError):
            path.unlink()


class Unfinished:
    """The state of a training between epochs.

    A killed job resumes from it and ends with the same bytes. It does not lie in the job's folder, because Snakemake empties
    that before a job starts.

    Args:
        key: The key of the task in the store.
        processor: The code paths of this processor. On another one the training starts again, because an epoch there gives
            other bytes.
    """

    def __init__(self, key: str, processor: str) -> None:
        self.path = UNFINISHED / f"{key}.safetensors"
        self.key, self.processor = key, processor

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait inside the block's start until no other job trains the same network."""
        from filelock import FileLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            yield

    def read(self) -> Any:
        """Return the state with the same key and processor; None if there is none or it is damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            state = load(self.path.read_bytes())
        except (FileNotFoundError, SafetensorError):
            return None
        mark = state.pop("resume.mark", None)
        return state if mark is not None and bytes(mark) == self._mark(state) else None

    def keep(self, state: dict[str, Any]) -> None:
        """Store the state in place of the previous one."""
        import numpy as np
        from safetensors.numpy import save

        # Not ascontiguousarray: it gives scalars a dimension, and then Adam's moments no longer fit a scalar weight.
        state = {name: np.asarray(value, order="C") for name, value in state.items()}
        marked = {**state, "resume.mark": np.frombuffer(self._mark(state), dtype=np.uint8)}
        # `read` ignores what a power cut damaged.
        whole_files.write_or_warn(self.path, save(marked), "If the training is interrupted, it repeats this epoch.")

    def _mark(self, state: dict[str, Any]) -> bytes:
        """Return the digest of a state, its task and processor: a power cut can leave a file whose middle is zeros."""
        from safetensors.numpy import save

        return digests.sha256(f"{self.key} {self.processor}".encode() + save(state)).encode()

    def done(self) -> None:
        """Delete the state, because the artefact is complete."""
        with suppress(OSError):
            self.path.unlink()
