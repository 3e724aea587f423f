"""A process that has imported torch and forks for each `python -m touchstone.pipeline.jobs.warm` of the tests.

Each run of a study starts such a process, which takes three seconds to import torch. warm_forks/sitecustomize.py asks this one
for a fork instead, with its arguments, folder, variables, umask and streams; the fork imports touchstone itself.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from typing import NoReturn

MODULE = "touchstone.pipeline.jobs.warm"


def become(connection: socket.socket) -> NoReturn:
    """In a fork: be what the process at the other end was started as."""
    head, streams, *_ = socket.recv_fds(connection, 4, 3)
    body, size = b"", int.from_bytes(head, "big")
    while len(body) < size and (part := connection.recv(size - len(body))):
        body += part
    arguments, folder, environment, mask = json.loads(body)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.umask(mask)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv[1:] = arguments
    connection.close()
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
    os._exit(0)


def main(path: str, *modules: str) -> None:
    """Fork for each connection until stdin is closed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("listens", flush=True)  # whoever connects waits for the imports
        for name in modules:
            importlib.import_module(name)
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no child is waited for
        while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                become(connection)
            connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # torch takes 0.4 s to free what it holds
