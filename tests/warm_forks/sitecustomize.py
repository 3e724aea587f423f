"""Have the process that jobs share be a fork of one that has torch already: Python imports this file at its start.

Only in processes that `projects.Project` starts. Tests of the shared process itself start it as users do.
"""

import json
import os
import socket
import sys

NAME = "TOUCHSTONE_TESTS_FORKS"  # the socket of warm_server.py and the variables that it has

if NAME in os.environ and sys.orig_argv[1:3] == ["-m", "touchstone.pipeline.jobs.warm"]:
    path, variables = json.loads(os.environ[NAME])
    if variables.items() <= os.environ.items():
        mask = os.umask(0)
        os.umask(mask)  # without the socket, this process goes on as itself
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            body = json.dumps([sys.orig_argv[3:], os.getcwd(), dict(os.environ), mask]).encode()  # noqa: PTH109
            socket.send_fds(connection, [len(body).to_bytes(4, "big")], [0, 1, 2])
            connection.sendall(body)
            connection.recv(1)  # it has forked
        os._exit(0)
