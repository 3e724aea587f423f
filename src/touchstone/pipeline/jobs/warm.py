"""The warm process of a run imports packages once and forks a child for each job, so jobs start at once.

It works only on Linux, and only if the run starts its jobs on this machine. If anything fails, a job runs without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # every job imports this file first, so it imports little
    import subprocess
    from types import FrameType

VARIABLE = "TOUCHSTONE_WARM"  # the path of the warm process's socket, or OFF to start no warm process
OFF = "off"
MISSING = "missing"  # in a child: the warm process has not yet imported what the job needs in order to compute
TO_COMPUTE = 79  # such a child exits with this code when it has to compute
FOLDER = ".touchstone"
LONGEST = 1 << 20  # bytes of a message
LOADED = 60.0  # seconds that a job waits for torch to be imported
GONE = 10.0  # seconds that the kernel may take to end a child with its parent
# Snakemake sets these to a job's threads. numpy's BLAS starts its threads when it is imported.
THREADS = (
    *(f"{name}_NUM_THREADS" for name in ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")),
    "VECLIB_MAXIMUM_THREADS",
)


def identity() -> list[Any]:
    """Return the properties of Python that a job and the warm process must share."""
    return [sys.version, sys.prefix, os.path.realpath(sys.executable), list(sys.flags)]


# --- the run: start it ----------------------------------------------------------------------------------------------


def start() -> subprocess.Popen[bytes] | None:
    """Start the warm process, and set its address for the jobs of this process.

    It ends with this process, however that ends. It serves jobs of one thread only, because a process whose libraries
    have started threads must not fork. If a study gives its torch jobs more threads, they run by themselves.

    Returns:
        The process; None if there can be none.
    """
    import atexit
    import subprocess

    if sys.platform != "linux" or os.environ.get(VARIABLE) == OFF:
        return None
    os.environ.pop(VARIABLE, None)
    try:
        listener, path = _listener()
        with listener:
            descriptor = str(listener.fileno())
            process = subprocess.Popen(
                [sys.executable, "-m", "touchstone.pipeline.jobs.warm_server", descriptor, str(os.getpid()), path],
                env=os.environ | dict.fromkeys(THREADS, "1"),
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is meant for the run, not for the jobs
            )
    except OSError as error:  # some file systems have no sockets
        print(
            f"touchstone: cannot start the warm process, so each job imports torch itself, which is slower: {error}",
            file=sys.stderr,
        )
        return None
    atexit.register(_stop, process, os.getpid())
    os.environ[VARIABLE] = path
    return process


def _listener() -> tuple[socket.socket, str]:
    """Return a socket that only this user can connect to, and its short path.

    The sockets of this user's killed runs are removed.
    """
    from pathlib import Path

    folder = Path(FOLDER)
    folder.mkdir(exist_ok=True)
    for left in folder.glob("warm.*.socket"):
        with contextlib.suppress(PermissionError, FileNotFoundError):  # another user's, or removed meanwhile
            try:
                _connected(str(left)).close()
            except ConnectionRefusedError:
                left.unlink()
    path = folder / f"warm.{os.getpid()}.socket"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    path.chmod(0o600)  # before anybody can connect
    listener.listen(128)
    return listener, str(path)


def _stop(process: subprocess.Popen[bytes], starter: int) -> None:
    if os.getpid() == starter:  # a forked copy of this process must not end the warm process
        process.terminate()
        process.wait()


# --- a job: hand it over --------------------------------------------------------------------------------------


def pass_on(arguments: list[str]) -> int | None:
    """Hand a job over to the warm process, and wait for it.

    A SIGTERM is passed on; Ctrl-C in the run's terminal is not, so the job finishes. If a signal ended the job, the same
    signal ends this process.

    Args:
        arguments: The command line, without the program.

    Returns:
        The exit code of the job; None if this process has to run it itself.
    """
    path = os.environ.get(VARIABLE, OFF)
    if path == OFF or arguments[:1] != ["job"] or None in (sys.stdin, sys.stdout, sys.stderr):  # None: it is closed
        return None
    received: list[int] = []

    def pass_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)
        with contextlib.suppress(OSError):
            server.send(json.dumps({"signal": number}).encode())

    try:
        with _connected(path) as server:
            before = {
                signal.SIGTERM: signal.signal(signal.SIGTERM, pass_signal),
                signal.SIGINT: signal.getsignal(signal.SIGINT),
            }
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                status = _status(server, arguments)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
    except OSError:
        status = None
    if status is None and received:
        _end_by(received[0])
    if status is not None and os.WIFSIGNALED(status):
        _end_by(os.WTERMSIG(status))
    return None if status is None else os.waitstatus_to_exitcode(status)


def _connected(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(LOADED)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _status(server: socket.socket, arguments: list[str]) -> int | None:
    """Return the wait status of the child that ran the job.

    None if there was no child or the warm process ended early.
    """
    request = {
        "arguments": arguments,
        "folder": os.getcwd(),  # noqa: PTH109
        "environment": dict(os.environ),
        "python": identity(),
    }
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    watched = None
    try:
        answer = _received(server)
        while (child := answer.get("pid")) is not None:  # a second one if the first was forked too early to compute
            if watched is not None:
                os.close(watched)
            try:
                watched = os.pidfd_open(child)
            except ProcessLookupError:
                watched = None
            server.settimeout(None)
            answer = _received(server)
        status = answer.get("status")
        if status is None and watched is not None:
            import select

            select.select([watched], [], [], GONE)  # until the child has ended: the job must not run twice at once
        return status
    finally:
        if watched is not None:
            os.close(watched)


def ready_to_compute() -> None:
    """End this process if it is a child of a warm process that has not imported what the job needs.

    The warm process then imports it and forks again. So a run that computes nothing spends no time on torch.
    """
    if os.environ.get(VARIABLE) == MISSING:
        sys.exit(TO_COMPUTE)


def _received(server: socket.socket) -> dict[str, int]:
    """Return the next message; empty if the warm process is gone or refuses."""
    try:
        data = server.recv(LONGEST)
    except ConnectionError:
        return {}
    answer: dict[str, int] = json.loads(data) if data else {}
    return answer


def _end_by(number: int) -> None:
    signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
    os.kill(os.getpid(), number)
