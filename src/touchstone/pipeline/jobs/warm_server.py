"""The warm process itself: waits at its socket, and forks a child for each job that is handed over.

It has run no operation of torch, so that a child starts as a new Python does that has just imported its packages. Of
touchstone it has imported what every job plans with, and read the settings once; a child forgets all of that where the
code has changed since, and reads what is on disk then.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import time
import types
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from touchstone.pipeline.jobs import warm

# What jobs import besides touchstone. The compiler comes with the first optimiser, and takes as long as torch itself.
PACKAGES = (
    "numpy", "torch", "torch._dynamo", "torch.func", "torch.nn.attention", "safetensors.numpy", "scipy.special", "yaml",
    "threadpoolctl", "argparse", "ast", "csv", "difflib", "fcntl", "hashlib", "importlib.metadata", "inspect", "subprocess",
)  # fmt: skip
# What every job plans its tasks with: 0.2 s of each. Neither steps nor components.
PLANNING = (
    "touchstone.pipeline.settings.study",
    "touchstone.pipeline.planning.plan",
    "touchstone.pipeline.jobs.run",
    "touchstone.pipeline.jobs.run_records",
)
# Of a job alone, and read by no package when it is imported.
OWN = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "TMPDIR", "TMP", "TEMPDIR", "TEMP", warm.VARIABLE})
PATIENCE = 10.0  # seconds between asking the children to end and ending them
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
NOT_UNDERSTOOD = "not understood"


Code = dict[str, tuple[int, int, int]]  # {file: its time, size and place}


@dataclass
class Client:
    """One process that handed its job over, and the child that does it."""

    connection: socket.socket
    child: int = 0
    watched: int = -1


class Server:
    """Answers clients, watches their children, and ends with the process that started it."""

    def __init__(self, listener: socket.socket, parent: int) -> None:
        self.selector = selectors.PollSelector()
        self.clients: list[Client] = []
        self.listener = listener
        self.parent = os.pidfd_open(parent)
        self.waker, self.woken = socket.socketpair()
        self.last = float("inf")  # when children that were asked to end are ended
        self.loaded = False
        self.code: Code | None = None  # that of touchstone when this process imported it
        self.environment = dict(os.environ)  # packages add to it when they are imported
        for end in (self.waker, self.woken):
            end.setblocking(False)
        for item, do in ((listener, self._accept), (self.parent, self._end), (self.woken, self._end)):
            self.selector.register(item, selectors.EVENT_READ, do)

    def serve(self) -> None:
        """Work until the parent ended or a SIGTERM came, and no child is left."""
        signal.set_wakeup_fd(self.waker.fileno())
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)  # it wakes the loop
        while self.last == float("inf") or self.clients:
            wait = None if self.last == float("inf") else max(0.0, self.last - time.monotonic())
            for key, _ in self.selector.select(wait):
                if self.selector.get_map().get(key.fd) is key:  # not closed by what was done just before
                    key.data()
            if time.monotonic() >= self.last:
                self._signal_all(signal.SIGKILL)

    def _end(self) -> None:
        """Take no more jobs, and ask the children to end."""
        self.last = time.monotonic() + PATIENCE
        for item in (self.listener, self.parent, self.woken):
            self.selector.unregister(item)
        self.listener.close()
        for client in [client for client in self.clients if not client.child]:
            self._forget(client)
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        for client in self.clients:
            os.kill(client.child, number)

    def _accept(self) -> None:
        client = Client(self.listener.accept()[0])
        self.clients.append(client)
        self.selector.register(client.connection, selectors.EVENT_READ, lambda: self._hear(client))

    def _hear(self, client: Client) -> None:
        """Do what a client says; where it is gone, nobody waits for its child any more."""
        try:
            data, files, _, _ = socket.recv_fds(client.connection, warm.LONGEST, 3)
        except ConnectionError:
            data, files = b"", []
        if not data and client.child:
            os.kill(client.child, signal.SIGKILL)
            self.selector.unregister(client.connection)
        elif not data:
            self._forget(client)
        elif client.child:
            if _parsed(data).get("signal") == signal.SIGTERM:  # the one that clients pass on
                os.kill(client.child, signal.SIGTERM)
        else:
            self._begin(client, _parsed(data), files)

    def _begin(self, client: Client, asked: dict[str, Any], files: list[int]) -> None:
        try:
            refused = self._refusal(asked) if _well_formed(asked, files) else NOT_UNDERSTOOD
        except ImportError as error:
            refused = f"{error}"  # the job says the same
        if not refused:
            client.child = self._forked(asked, files)
            client.watched = os.pidfd_open(client.child)
            self.selector.register(client.watched, selectors.EVENT_READ, lambda: self._ended(client))
        for file in files:
            os.close(file)
        _say(client, {"refused": refused} if refused else {"pid": client.child})
        if refused:
            self._forget(client)

    def _refusal(self, asked: dict[str, Any]) -> str:
        """Return why a job cannot be done here just as in a process of its own; load the packages for the first that can."""
        if asked["python"] != json.loads(json.dumps(warm.identity())) or asked["folder"] != str(Path.cwd()):
            return "another Python or folder"
        theirs, ours = asked["environment"], self.environment
        names = {name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name)} - OWN
        if names:
            return f"another environment: {', '.join(sorted(names))}"
        if not self.loaded:
            step = asked["arguments"][1].partition(":")[0].partition("_")[0]
            if step not in warm.TORCH_STEPS:
                return "torch is not imported for this alone"
            for name in PACKAGES:
                importlib.import_module(name)
            self.code = _plan_ahead(asked["arguments"])
            gc.freeze()  # the children share these pages
            self.loaded = True
        return "" if len(list(Path("/proc/self/task").iterdir())) == 1 else "threads were started here"

    def _forked(self, asked: dict[str, Any], files: list[int]) -> int:
        """Return the id of a child that does the job; in the child, do it and end."""
        ours, every = os.getpid(), signal.valid_signals()
        signal.pthread_sigmask(signal.SIG_BLOCK, every)  # until the child no longer has the handlers of this process
        child = os.fork()
        if not child:
            try:
                self._let_go(ours)
                _become(asked, files, self.code)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, every)
                _work()
            finally:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, every)
        return child

    def _let_go(self, parent: int) -> None:
        """In a child: end with the warm process, and keep nothing of it, so that it is seen when it is gone."""
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.listener.close()
        self.waker.close()
        self.woken.close()
        os.close(self.parent)
        for client in self.clients:
            client.connection.close()
            if client.watched >= 0:
                os.close(client.watched)

    def _ended(self, client: Client) -> None:
        _, status = os.waitpid(client.child, 0)
        _say(client, {"status": status})
        self._forget(client)

    def _forget(self, client: Client) -> None:
        for item in (client.connection, client.watched):
            with suppress(KeyError, ValueError):
                self.selector.unregister(item)
        client.connection.close()
        if client.watched >= 0:
            os.close(client.watched)
        self.clients.remove(client)


def _parsed(data: bytes) -> dict[str, Any]:
    """Return a message; an empty one where it is none."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _well_formed(asked: dict[str, Any], files: list[int]) -> bool:
    """Return whether a job can be begun from a message: the client runs the code that is on disk now, or is none of ours."""
    arguments, environment = asked.get("arguments"), asked.get("environment")
    if len(files) != 3 or not {"folder", "python"} <= asked.keys():
        return False
    if not isinstance(arguments, list) or len(arguments) < 2 or not isinstance(environment, dict):
        return False
    try:
        return not any(b"\0" in os.fsencode(word) for word in (*arguments, *environment, *environment.values()))
    except (TypeError, UnicodeError):
        return False


def _code_on_disk() -> Code:
    """Return the files of touchstone as the file system tells them apart."""
    found = {}
    for ending in ("*.py", "*.yaml"):
        for path in Path(warm.__file__).parents[2].rglob(ending):
            stat = path.stat()
            found[str(path)] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def _plan_ahead(arguments: list[str]) -> Code | None:
    """Import what jobs plan with, and read the study's settings once, so that signatures are known; return the code.

    None where that does not work, or where the study has components of its own in other folders: then each job imports
    for itself, and tells what is wrong.
    """
    code = _code_on_disk()
    try:
        modules = [importlib.import_module(name) for name in PLANNING]
        modules[0].load(next(word.removeprefix("--study=") for word in arguments if word.startswith("--study=")))
        plugins = importlib.import_module("touchstone.plugins")
    except (ImportError, ValueError, SyntaxError, StopIteration):
        return None
    return None if len(plugins.places()) > 1 else code


def _say(client: Client, message: dict[str, Any]) -> None:
    with suppress(OSError):  # it is gone, which the loop hears by itself
        client.connection.send(json.dumps(message).encode())


# --- in the child -------------------------------------------------------------------------------------------------


def _become(asked: dict[str, Any], files: list[int], code: Code | None) -> None:
    """Take over the client's streams, environment and arguments; forget touchstone where its `code` is no longer that."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update({name: value for name, value in asked["environment"].items() if name != warm.VARIABLE})
    tempfile.tempdir = None
    sys.argv = ["-m", *asked["arguments"]]
    sys.orig_argv = [sys.executable, "-m", "touchstone", *asked["arguments"]]
    if code is None or code != _code_on_disk():
        for name in [name for name in sys.modules if name.partition(".")[0] == "touchstone"]:
            del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")
    importlib.invalidate_caches()


def _work() -> NoReturn:
    """Do what `python -m touchstone` does, and end as it would: same exit code, same traceback."""
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


def main(arguments: list[str]) -> None:
    """Serve on an open socket until the process that opened it ends; then nothing is left of the socket."""
    descriptor, parent, path = int(arguments[0]), int(arguments[1]), Path(arguments[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    home = Path.cwd() / path
    try:
        if os.getppid() == parent:
            Server(socket.socket(fileno=descriptor), parent).serve()
    finally:
        home.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1:])
