"""Progress files of long jobs, and the state that a killed training resumes from. Both lie under logs/, read by no job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.provenance import whole_files

INTERVAL = 0.5  # seconds between two writes of a progress file


def progress_folder(logs: Path) -> Path:
    """Return the folder that holds one progress file per running long job."""
    return logs / "progress"


@contextmanager
def reported(label: str, logs: Path) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (done, total) that keeps a progress file while the block runs; the file goes when it ends."""
    name = Path(label).with_suffix("").as_posix().replace("/", "_")
    path = progress_folder(logs) / f"{name}.json"
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= INTERVAL or done == total:
            last = now
            state = {"label": Path(label).stem, "done": done, "total": total}
            whole_files.write_whole(path, json.dumps(state).encode(), lasting=False)

    try:
        yield report
    finally:
        path.unlink(missing_ok=True)


class Resume:
    """Keeps a training's state between epochs, so that a killed job goes on where it was and ends in the same bytes.

    key: names all that decides these, inputs included; a state that was kept under another one is not read.
    """

    def __init__(self, artefact: str, logs: Path, key: str) -> None:
        self.path = logs / "resume" / (Path(artefact).stem + ".safetensors")
        self.key = digests.sha256(key.encode())

    def read(self) -> Any:
        """Return the state that was kept under the same key; None where there is none, or it is damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            state = load(self.path.read_bytes())
        except (FileNotFoundError, SafetensorError):
            return None
        own = state.pop("resume.key", None)
        return state if own is not None and bytes(own).decode() == self.key else None

    def keep(self, state: dict[str, Any]) -> None:
        """Keep the state in place of the one before."""
        import numpy as np
        from safetensors.numpy import save

        marked = {**state, "resume.key": np.frombuffer(self.key.encode(), dtype=np.uint8)}
        data = save({name: np.ascontiguousarray(value) for name, value in marked.items()})
        whole_files.write_whole(self.path, data, lasting=False)  # a state that a power cut damages is not read

    def done(self) -> None:
        """Remove the state: the artefact is written."""
        self.path.unlink(missing_ok=True)
