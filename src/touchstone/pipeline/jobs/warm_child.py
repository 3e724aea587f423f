"""A child of the warm process: take over a job's streams, then run the job."""

from __future__ import annotations

import atexit
import importlib
import os
import runpy
import signal
import sys
import tempfile
import types
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from touchstone.pipeline.jobs import warm

States = dict[str, tuple[int, int, int]]  # {file: (modification time, size, inode)}


@dataclass(frozen=True)
class Imported:
    """The files from which the warm process has imported code and read settings.

    Attributes:
        settings: The study's settings files.
        folders: The plug-in folders, whose components do not come with touchstone.
        states: The states of these files and of touchstone's own files when they were read.
    """

    settings: tuple[str, ...]
    folders: tuple[Path, ...]
    states: States

    def is_current(self) -> bool:
        """Return whether no file has changed since."""
        return self.states == package_states() | states(self.settings) | plugin_states(self.folders)


def package_states() -> States:
    """Return the states of touchstone's own files; for every job, so without pathlib, which takes five times as long."""
    package = Path(warm.__file__).parents[2]
    return states(
        os.path.join(folder, name)  # noqa: PTH118
        for folder, _, names in os.walk(package)
        for name in names
        if name.endswith((".py", ".yaml"))
    )


def plugin_states(folders: Iterable[Path]) -> States:
    """Return the states of the files from which components of these folders are imported."""
    return states(path for folder in folders for pattern in ("*.py", "*/*.py") for path in folder.glob(pattern))


def states(files: Iterable[Path | str]) -> States:
    """Return the state of each file; a file that is gone has none."""
    result = {}
    for path in files:
        with suppress(FileNotFoundError):
            stat = os.stat(path)  # noqa: PTH116
            result[os.fspath(path)] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return result


def become(request: dict[str, Any], files: list[int], imported: Imported | None, missing: bool) -> None:
    """Take over the streams, environment and arguments of a job.

    If the code of touchstone or the study's settings have changed, also unload touchstone's modules.

    Args:
        request: What the job's own process has sent.
        files: Its streams.
        imported: What the warm process has imported and read.
        missing: Whether the warm process lacks packages that the job needs if it has to compute.
    """
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    open_streams()
    os.environ.clear()
    os.environ.update({name: value for name, value in request["environment"].items() if name != warm.VARIABLE})
    if missing:
        os.environ[warm.VARIABLE] = warm.MISSING
    tempfile.tempdir = None
    sys.argv = ["-m", *request["arguments"]]
    sys.orig_argv = [sys.executable, "-m", "touchstone", *request["arguments"]]
    if imported is None or not imported.is_current():
        for name in [name for name in sys.modules if name.partition(".")[0] == "touchstone"]:
            del sys.modules[name]
        importlib.invalidate_caches()
    sys.modules["__main__"] = types.ModuleType("__main__")
    drop_exit_functions()


def open_streams() -> None:
    """Open stdin, stdout and stderr anew, as a new process does.

    The streams of the warm process were opened on /dev/null, which can seek, as a pipe and a terminal cannot.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        stream = open(  # noqa: SIM115
            number, old.mode, 1 if name == "stderr" else -1, old.encoding, old.errors, closefd=False
        )
        stream.reconfigure(write_through=old.write_through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def drop_exit_functions() -> None:
    """Drop the exit functions of the warm process's packages, which would take each child 50 ms.

    Exit functions that the job itself registers still run when it ends. As `multiprocessing` does in forks, this relies
    on parts of CPython that have no public name. If they are missing, a child ends more slowly.
    """
    with suppress(AttributeError):
        weakref.finalize._registry.clear()  # type: ignore[attr-defined]
        weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
        atexit._clear()
        for name, function in (("logging", "shutdown"), ("multiprocessing.util", "_exit_function")):
            if name in sys.modules:
                atexit.register(getattr(sys.modules[name], function))


def work() -> NoReturn:
    """Run `python -m touchstone` and exit as a new process would."""
    code = 0
    try:
        runpy._run_module_as_main("touchstone")  # type: ignore[attr-defined]
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException as error:  # noqa: BLE001
        code = 1
        assert error.__traceback__ is not None
        error.__traceback__ = error.__traceback__.tb_next  # without this frame
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    os._exit(code & 0xFF)
