"""The warm process: wait for jobs at a socket and fork a child for each.

It runs no torch operation, so a child starts like a new Python that has just imported its packages. Torch is imported when
the first job has to compute with it. The warm process also imports the modules that plan a job, and plans the study once. A
child unloads these modules, and with them the plan and what all jobs record, if the code or the settings have changed since.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from touchstone.pipeline.jobs import warm, warm_child
from touchstone.pipeline.jobs.warm_child import Imported
from touchstone.pipeline.planning.steps import STEPS

# Packages that every job imports.
PACKAGES = (
    "numpy", "scipy.special", "safetensors.numpy", "yaml", "psutil", "threadpoolctl", "argparse", "ast", "csv", "difflib",
    "fcntl", "hashlib", "importlib.metadata", "inspect", "subprocess",
)  # fmt: skip
# Packages of jobs that compute. The first optimiser imports the compiler, which takes as long as torch itself.
TORCH = ("torch", "torch.func", "torch.nn.attention")
OF_STEPS = {"train": ("torch._dynamo",), "fit": ("torch._dynamo",)}
JOB = "touchstone.commands.job"  # with it come the modules that every job needs before it computes: no steps, no components
# Variables that differ between jobs; no package reads them on import.
JOB_VARIABLES = frozenset({"_", "SHLVL", "PWD", "OLDPWD", "TMPDIR", "TMP", "TEMPDIR", "TEMP", warm.VARIABLE})
PATIENCE = 10.0  # seconds between SIGTERM and SIGKILL for the children
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass
class Client:
    """A process that has handed over its job, and the child that runs the job."""

    connection: socket.socket
    request: dict[str, Any] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)  # its streams
    missing: tuple[str, ...] = ()  # packages that its child lacks, and needs if it has to compute
    child: int = 0
    watched: int = -1


class Server:
    """Answers clients and watches their children until its parent process ends."""

    def __init__(self, listener: socket.socket, parent: int) -> None:
        self.selector = selectors.PollSelector()
        self.clients: list[Client] = []
        self.listener = listener
        self.parent = os.pidfd_open(parent)
        self.waker, self.woken = socket.socketpair()
        self.deadline = float("inf")  # when children that ignore SIGTERM are killed
        self.planned = False
        self.imported: Imported | None = None
        self.environment = dict(os.environ)  # packages add to it when they are imported
        for end in (self.waker, self.woken):
            end.setblocking(False)
        for item, do in ((listener, self._accept), (self.parent, self._end), (self.woken, self._end)):
            self.selector.register(item, selectors.EVENT_READ, do)

    def serve(self) -> None:
        """Work until the parent ends or a SIGTERM arrives; then wait for the children."""
        signal.set_wakeup_fd(self.waker.fileno())
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)  # its arrival wakes the loop
        while self.deadline == float("inf") or self.clients:
            wait = None if self.deadline == float("inf") else max(0.0, self.deadline - time.monotonic())
            for key, _ in self.selector.select(wait):
                if self.selector.get_map().get(key.fd) is key:  # a previous event of this round may have closed it
                    key.data()
            if time.monotonic() >= self.deadline:
                self._signal_all(signal.SIGKILL)

    def _end(self) -> None:
        """Accept no more jobs, and send SIGTERM to the children."""
        self.deadline = time.monotonic() + PATIENCE
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
        """Read a client's message; if the client has ended, kill its child."""
        try:
            data, files, _, _ = socket.recv_fds(client.connection, warm.LONGEST, 3)
        except ConnectionError:
            data, files = b"", []
        if not data and client.child:
            client.missing = ()  # no further child
            os.kill(client.child, signal.SIGKILL)
            self.selector.unregister(client.connection)
        elif not data:
            self._forget(client)
        elif client.child:
            if _parsed(data).get("signal") == signal.SIGTERM:  # the only signal that clients pass on
                os.kill(client.child, signal.SIGTERM)
        else:
            self._begin(client, _parsed(data), files)

    def _begin(self, client: Client, request: dict[str, Any], files: list[int]) -> None:
        client.request, client.files = request, files
        if refused := self._refusal(request) if _well_formed(request, files) else "not understood":
            self._refuse(client, refused)
            return
        step = STEPS[_step(request)]
        needed = (*(TORCH if step.torch else ()), *OF_STEPS.get(step.name, ()))
        client.missing = tuple(name for name in needed if name not in sys.modules)
        self._fork_for(client, PACKAGES)

    def _refusal(self, request: dict[str, Any]) -> str:
        """Return why a job cannot run here exactly as in its own process, or ""."""
        if request["python"] != json.loads(json.dumps(warm.identity())) or request["folder"] != str(Path.cwd()):
            return "another Python or folder"
        theirs, ours = request["environment"], self.environment
        names = {name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name)} - JOB_VARIABLES
        if names:
            return f"another environment: {', '.join(sorted(names))}"
        return "" if _step(request) in STEPS else "no such step"

    def _refuse(self, client: Client, why: str) -> None:
        _say(client, {"refused": why})
        self._forget(client)

    def _fork_for(self, client: Client, packages: tuple[str, ...]) -> None:
        """Import packages, and fork a child for a client. The first time, also plan the study."""
        try:
            for name in packages:
                importlib.import_module(name)
        except ImportError as error:
            self._refuse(client, f"{error}")  # the job will report the same error
            return
        if not self.planned:
            self.imported, self.planned = _plan_ahead(client.request["arguments"]), True
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            self._refuse(client, "threads were started here")
            return
        gc.freeze()  # the children share these pages
        client.child = self._forked(client)
        client.watched = os.pidfd_open(client.child)
        self.selector.register(client.watched, selectors.EVENT_READ, lambda: self._ended(client))
        if not client.missing:
            _close_files(client)
        _say(client, {"pid": client.child})

    def _forked(self, client: Client) -> int:
        """Fork a child that runs the job; return its id."""
        ours, every = os.getpid(), signal.valid_signals()
        signal.pthread_sigmask(signal.SIG_BLOCK, every)  # until the child no longer has the handlers of this process
        child = os.fork()
        if not child:
            try:
                self._let_go(ours, client)
                warm_child.become(client.request, client.files, self.imported, missing=bool(client.missing))
                signal.pthread_sigmask(signal.SIG_UNBLOCK, every)
                warm_child.work()
            finally:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, every)
        return child

    def _let_go(self, parent: int, own: Client) -> None:
        """In the child: arrange to end with the warm process, and close its open files."""
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
            for file in (*(() if client is own else client.files), *([client.watched] if client.watched >= 0 else ())):
                os.close(file)

    def _ended(self, client: Client) -> None:
        """Report how a child ended. If it ended because it has to compute, import what it lacks and fork another."""
        _, status = os.waitpid(client.child, 0)
        if client.missing and os.waitstatus_to_exitcode(status) == warm.TO_COMPUTE and self.deadline == float("inf"):
            self.selector.unregister(client.watched)
            os.close(client.watched)
            client.child, client.watched, missing, client.missing = 0, -1, client.missing, ()
            self._fork_for(client, missing)
            return
        _say(client, {"status": status})
        self._forget(client)

    def _forget(self, client: Client) -> None:
        for item in (client.connection, client.watched):
            with suppress(KeyError, ValueError):
                self.selector.unregister(item)
        client.connection.close()
        if client.watched >= 0:
            os.close(client.watched)
        _close_files(client)
        self.clients.remove(client)


def _close_files(client: Client) -> None:
    for file in client.files:
        os.close(file)
    client.files = []


def _parsed(data: bytes) -> dict[str, Any]:
    """Return a message; empty if it is not a JSON object."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _step(request: dict[str, Any]) -> str:
    return str(request["arguments"][1]).partition(":")[0].partition("_")[0]  # of the rule attack_main:sha256:...


def _well_formed(request: dict[str, Any], files: list[int]) -> bool:
    """Return whether a message describes a job: any process of this user can write to the socket."""
    arguments, environment = request.get("arguments"), request.get("environment")
    if len(files) != 3 or not {"folder", "python"} <= request.keys():
        return False
    if not isinstance(arguments, list) or len(arguments) < 2 or not isinstance(environment, dict):
        return False
    try:
        return not any(b"\0" in os.fsencode(word) for word in (*arguments, *environment, *environment.values()))
    except (TypeError, UnicodeError):
        return False


def _plan_ahead(arguments: list[str]) -> Imported | None:
    """Import the modules that plan a job, and plan the study.

    Returns:
        What was imported and read. None if that failed; then each job imports the modules itself and reports the error.
    """
    package = warm_child.package_states()  # first, so that an edit meanwhile is noticed
    try:
        study = next(word.removeprefix("--study=") for word in arguments if word.startswith("--study="))
        plan = importlib.import_module(JOB).plan_ahead(study)
        plugins = importlib.import_module("touchstone.plugins")
    except (ImportError, ValueError, SyntaxError, StopIteration):
        return None
    # An edit meanwhile changes the settings digest, which Snakemake passes to each job.
    settings, folders = tuple(plan.study.files), tuple(plugins.places()[1:])
    states = package | warm_child.states(settings) | warm_child.plugin_states(folders)
    return Imported(settings, folders, states)


def _say(client: Client, message: dict[str, Any]) -> None:
    with suppress(OSError):  # if the client has ended, the loop notices
        client.connection.send(json.dumps(message).encode())


def main(arguments: list[str]) -> None:
    """Serve on an open socket until the parent process ends; remove the socket."""
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
    os._exit(0)  # torch takes 0.4 s to free what it holds
