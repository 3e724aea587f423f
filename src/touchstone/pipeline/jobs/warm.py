"""Forks of a process that has imported torch run the jobs of one workflow on this machine.

`start` in the workflow's `onstart` lets its jobs share such a process, and `run` in a job uses it. The first job that has
to compute starts it, with the job's own Python, so a conda environment has one of its own. It watches the workflow's
process and ends with it. The fork of a job ends with the job. Jobs of a cluster, of a workflow that is a module, or of a
system without pidfd are ordinary processes.

The process runs no torch operation: after an operation with several threads, a fork would hang.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import runpy
import secrets
import select
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

VARIABLE = "TOUCHSTONE_WARM"  # the folder of the sockets and the process of the workflow; OFF for none
OFF = "off"
FORK = "TOUCHSTONE_FORK"  # set in the fork of a job
PACKAGES = ("numpy", "scipy.special", "safetensors.numpy", "torch", "torch.func", "torch.nn.attention", "torch._dynamo")
LONGEST = 60  # bytes of the path of the folder of temporary files: a socket in it adds 41, and may have 107
PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL


def start() -> None:
    """Let the jobs of this workflow share processes, one for each Python."""
    if os.environ.get(VARIABLE) != OFF and hasattr(os, "pidfd_open"):
        # The first job that computes makes the folder. Its process removes it, unless that is killed.
        folder = _short_folder() / f"touchstone-{secrets.token_hex(8)}"
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[VARIABLE] = json.dumps([str(folder), os.getpid()])


def _short_folder() -> Path:
    """Return the folder of temporary files, or /tmp if that is too long for the path of a socket."""
    folder = Path(tempfile.gettempdir())
    return folder if len(os.fsencode(folder)) <= LONGEST else Path("/tmp")


def is_fork() -> bool:
    """Return whether this process is the fork of a job."""
    return FORK in os.environ


def run(arguments: list[str], threads: int) -> int | None:
    """Run `touchstone` with these arguments in a fork, and wait for it.

    Args:
        arguments: The command line, without the program.
        threads: The threads of the job. With several, it needs a process of its own, because a process whose libraries
            have started threads must not fork.

    Returns:
        The exit code; None if this process has to run the job itself.
    """
    announced = os.environ.get(VARIABLE, OFF)
    if announced == OFF or threads != 1:
        return None
    folder, owner = json.loads(announced)
    path = Path(folder, hashlib.sha256(sys.executable.encode()).hexdigest()[:12])
    try:
        os.close(os.pidfd_open(owner))
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as connection:
            if not _connect(connection, path, owner):
                return None
            body = json.dumps([arguments, str(Path.cwd()), dict(os.environ)]).encode()
            socket.send_fds(connection, [struct.pack("!I", len(body))], [0, 1, 2])
            connection.sendall(body)
            answer = connection.recv(4, socket.MSG_WAITALL)
    except OSError:  # the workflow has ended, or ran on another machine
        return None
    return struct.unpack("!i", answer)[0] if len(answer) == 4 else 1


def _connect(connection: socket.socket, path: Path, owner: int) -> bool:
    """Connect to the process of this Python, and start it before if there is none; return whether there is one."""
    import fcntl  # Windows has none, and no pidfd either

    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(OSError):
            connection.connect(str(path))
            return True
        from touchstone.pipeline.jobs import environment

        environment.set_environment(1)
        server = subprocess.Popen(
            [sys.executable, "-m", "touchstone.pipeline.jobs.warm", str(path), str(owner)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is meant for the workflow
        )
        assert server.stdout is not None
        if server.stdout.readline() != b"ready\n":  # the job runs here, and says why if it fails
            return False
        connection.connect(str(path))
        return True


# --- the process ------------------------------------------------------------------------------------------------------


def serve(path: Path, owner: int) -> NoReturn:
    """Import what jobs need, and fork for each connection until the workflow ends."""
    from importlib import import_module

    for name in (*PACKAGES, "touchstone.pipeline.jobs.adapters", "touchstone.commands.job"):
        import_module(name)
    try:
        workflow = os.pidfd_open(owner)
    except ProcessLookupError:  # it has ended meanwhile
        shutil.rmtree(path.parent, ignore_errors=True)
        sys.exit()
    path.unlink(missing_ok=True)  # of a process that was killed
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(workflow, selectors.EVENT_READ)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no child is waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    os.dup2(0, 1)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is not listener:
                shutil.rmtree(path.parent, ignore_errors=True)
                os.killpg(0, signal.SIGKILL)
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _supervise(connection)
            connection.close()


def _supervise(connection: socket.socket) -> NoReturn:
    """In a fork: fork again for the job, end it if the process that waits for it ends, and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, descriptors, *_ = socket.recv_fds(connection, 4, 3)
    body, size = b"", struct.unpack("!I", head)[0]
    while len(body) < size and (part := connection.recv(size - len(body))):
        body += part
    arguments, folder, environment = json.loads(body)
    if (job := os.fork()) == 0:
        connection.close()
        _take_over_process(arguments, folder, environment, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(job)
    ready = select.select([ended, connection.fileno()], [], [])[0]
    if ended not in ready:
        os.kill(job, signal.SIGTERM)
        if not select.select([ended], [], [], PATIENCE)[0]:
            os.kill(job, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    with suppress(OSError):
        connection.sendall(struct.pack("!i", status if status >= 0 else 128 - status))
    os._exit(0)


def _take_over_process(
    arguments: list[str], folder: str, environment: dict[str, str], descriptors: list[int]
) -> NoReturn:
    """Run a job in this process as if it had been started with these arguments, folder, environment and streams."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment | {FORK: "1"})
    sys.argv[1:] = arguments
    sys.stdout, sys.stderr = (open(os.dup(number), "w", buffering=1) for number in (1, 2))  # noqa: PTH123, SIM115
    code = 1
    try:
        runpy.run_module("touchstone", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:  # noqa: BLE001
        sys.excepthook(type(error), error, error.__traceback__)
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
