"""The warm process: a job done as its child is the job done alone; whoever of the three is killed, nothing is left behind.

The jobs here are toys, in a folder with the real warm process and a `torch` that is imported in no time.
"""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from touchstone.pipeline.jobs import environment, processes, warm, warm_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a warm process on Linux alone")
PACKAGE = Path(warm.__file__).parents[2]
JOBS = "pipeline/jobs"
TOY = """
import sys

from touchstone.pipeline.jobs import warm

if __name__ == "__main__" and (handed_over := warm.pass_on(sys.argv[1:])) is not None:
    sys.exit(handed_over)

import os
import signal
import time
from pathlib import Path

import toy


def main():
    kind = sys.argv[1 + 1].partition(":")[2]
    if kind != "cached":
        warm.ready_to_compute()
    if kind in ("tell", "cached"):
        print(toy.WORDS, sys.argv[1:], "torch" in sys.modules, os.environ.get("TOUCHSTONE_WARM"), flush=True)
        print("and this", file=sys.stderr)
    elif kind == "raise":
        raise ValueError("broken")
    elif kind == "words":
        sys.exit("some words")
    elif kind == "seven":
        print("not flushed", end="")
        sys.exit(7)
    elif kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            Path(kind).write_text(str(os.getpid()))
            time.sleep(float(sys.argv[3]))
            with Path("done").open("a") as done:
                print(os.getpid(), file=done)
        finally:
            Path(kind).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
"""
RUN = """
import os, sys
sys.path.insert(0, "src")
from touchstone.pipeline.jobs import warm
print(warm.start().pid, os.environ[warm.VARIABLE], flush=True)
sys.stdin.read()
"""


class Toy:
    """A folder with toy jobs, and a run that has started a warm process there."""

    def __init__(self, root):
        self.root = root
        self.environment = {name: value for name, value in os.environ.items() if name != warm.VARIABLE}
        self.environment |= environment.environment(1) | {"PYTHONPATH": "src"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.run = subprocess.Popen([sys.executable, "-c", RUN], cwd=root, env=self.environment, **pipes)
        pid, self.socket = self.run.stdout.readline().split()
        self.server = processes.started(int(pid))

    def start(self, *words, **environment):
        line = [sys.executable, "-m", "touchstone", "job", *words]
        own = self.environment | {warm.VARIABLE: self.socket} | environment
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(line, cwd=self.root, env=own, **pipes)

    def do(self, *words, **environment):
        """Return exit code, output and error output of one job."""
        job = self.start(*words, **environment)
        out, err = job.communicate(timeout=60)
        return job.returncode, out, err

    def waiting(self, name, seconds=60):
        """Start a job that waits; return it and the process that does it."""
        client = self.start(f"train:{name}", str(seconds))
        wait_for(lambda: (self.root / name).is_file() and (self.root / name).read_text())
        return client, processes.current(int((self.root / name).read_text()))

    def left(self):
        return list((self.root / ".touchstone").glob("*.socket"))


def refuses(path):
    """Return whether nobody listens at a socket, named shortly: whole paths of a test's folder are too long."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        return connection.connect_ex(path) == errno.ECONNREFUSED


def wait_for(condition, seconds=30):
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last, "waited in vain"
        time.sleep(0.05)


@contextlib.contextmanager
def toy_in(root):
    package, torch, scipy = (root / "src" / name for name in ("touchstone", "torch", "scipy"))
    package.mkdir(parents=True)
    for name in (
        "__init__.py",
        "pipeline/__init__.py",
        "pipeline/planning/__init__.py",
        "pipeline/planning/steps.py",
        *(f"{JOBS}/{file}.py" for file in ("__init__", "warm", "warm_child", "warm_server")),
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text((PACKAGE / name).read_text().replace("PATIENCE = 10.0", "PATIENCE = 1.0"))
    (package / "__main__.py").write_text(TOY)
    (root / "src/toy.py").write_text("WORDS = 'first'\n")
    (torch / "nn").mkdir(parents=True)
    for name in ("__init__.py", "_dynamo.py", "func.py", "nn/__init__.py", "nn/attention.py"):
        (torch / name).write_text("")
    scipy.mkdir()
    for name in ("__init__.py", "special.py", "stats.py"):  # the real one looks at torch's tensors
        (scipy / name).write_text("")
    made = Toy(root)
    yield made
    made.run.kill()
    made.run.wait()
    made.run.stdout.close()
    wait_for(lambda: not processes.is_alive(made.server))


@pytest.fixture
def toy(tmp_path):
    with toy_in(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def lasting_toy(tmp_path_factory):
    """One warm process for all messages that it must outlive."""
    with toy_in(tmp_path_factory.mktemp("toy")) as made:
        yield made


def test_a_job_is_done_by_the_warm_process_with_its_own_streams_and_arguments(toy):
    code, out, err = toy.do("train:tell", "--study", "x")

    assert (code, out, err) == (0, "first ['job', 'train:tell', '--study', 'x'] True None\n", "and this\n")


def test_the_code_that_is_on_disk_when_a_job_starts_is_run(toy):
    toy.do("train:tell")
    (toy.root / "src/touchstone/__main__.py").write_text(TOY.replace("toy.WORDS", "'changed'"))

    assert toy.do("train:tell")[1].startswith("changed")


PLANNING = """
import os
from pathlib import Path
from types import SimpleNamespace

PROCESS = os.getpid()


def plan_ahead(study):
    assert study == "x"
    return SimpleNamespace(study=SimpleNamespace(files=("params.yaml",)))


def places():
    return [Path("the package"), Path("mine")]
"""


@pytest.mark.parametrize(
    "changed", ["src/touchstone/commands/job.py", "params.yaml", "mine/attacks/own.py", "mine/new.py"]
)
def test_what_jobs_plan_with_is_imported_once_until_it_changes(toy, changed):
    package = toy.root / "src/touchstone"
    for module in (warm_server.JOB, "touchstone.plugins"):
        path = toy.root / "src" / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLANNING)
    (toy.root / "params.yaml").write_text("study: {title: First}")
    (toy.root / "mine/attacks").mkdir(parents=True)
    (toy.root / "mine/attacks/own.py").write_text("")
    main = (package / "__main__.py").read_text()
    line = "from touchstone.commands import job; print(job.PROCESS == os.getppid(), flush=True)"
    (package / "__main__.py").write_text(main.replace("    elif kind", f"        {line}\n    elif kind", 1))

    before = [toy.do("train:tell", "--study=x")[1].splitlines()[-1] for _ in range(2)]
    (toy.root / changed).write_text(PLANNING + "# edited\n")
    after = toy.do("train:tell", "--study=x")[1].splitlines()[-1]

    assert (before, after) == (["True", "True"], "False")


@pytest.mark.parametrize("kind", ["raise", "words", "seven", "killed"])
def test_a_job_ends_as_it_does_alone(toy, kind):
    alone = toy.do(f"train:{kind}", TOUCHSTONE_WARM=warm.OFF)

    assert toy.do(f"train:{kind}") == alone
    assert alone[0] == {"raise": 1, "words": 1, "seven": 7, "killed": -9}[kind]


@pytest.mark.parametrize(
    "other", [{"OMP_NUM_THREADS": "2"}, {"LD_BIND_NOW": "1"}, {"TOUCHSTONE_WARM": ".touchstone/none"}]
)
def test_in_another_environment_a_job_is_done_alone(toy, other):
    toy.do("train:tell")

    code, out, _ = toy.do("train:tell", **other)

    assert code == 0
    assert " False " in out  # without torch


def test_torch_is_imported_for_no_job_that_does_without(toy):
    assert " False " in toy.do("evaluate:tell")[1]
    assert " True " in toy.do("attack_main:tell")[1]
    assert " True " in toy.do("evaluate:tell")[1]


def test_torch_is_imported_when_a_job_has_to_compute_and_not_for_what_is_cached(toy):
    printed = [toy.do(f"train:{kind}")[1] for kind in ("cached", "tell", "cached")]

    assert [" True " in words for words in printed] == [False, True, True]


def test_the_warm_process_keeps_no_file_of_a_job_that_has_ended(toy):
    files = Path(f"/proc/{toy.server.pid}/fd")
    toy.do("prepare:tell")
    before = len(list(files.iterdir()))

    for kind in ("train:cached", "train:tell", "evaluate:tell"):
        toy.do(kind)

    wait_for(lambda: len(list(files.iterdir())) == before)


def test_what_the_warm_process_does_not_understand_a_job_does_alone(toy):
    toy.do("train:tell")
    path = toy.root / "src/touchstone/pipeline/jobs/warm.py"
    path.write_text(path.read_text().replace('"python": identity()', '"interpreter": identity()'))

    assert " False " in toy.do("train:tell")[1]
    assert processes.is_alive(toy.server)


def test_jobs_go_side_by_side(toy):
    both = [toy.waiting(name, 1) for name in ("a", "b")]

    assert both[0][1].pid != both[1][1].pid
    assert [client.wait(30) for client, _ in both] == [0, 0]


def test_the_process_that_works_has_the_words_of_the_warm_process_and_its_own_start(toy):
    client, child = toy.waiting("a")

    assert processes.is_alive(child)
    assert child.command == toy.server.command
    assert child != toy.server
    processes.end([child])  # as `touchstone run` ends the jobs that run
    assert client.wait(10) == 128 + signal.SIGTERM


def test_a_job_that_is_told_to_end_leaves_in_good_order(toy):
    client, child = toy.waiting("a")

    client.terminate()

    assert client.wait(10) == 128 + signal.SIGTERM
    assert not (toy.root / "a").exists()
    assert not processes.is_alive(child)


def test_ctrl_c_lets_a_job_finish(toy):
    client, _ = toy.waiting("a", 1)

    client.send_signal(signal.SIGINT)

    assert client.wait(20) == 0


def test_a_killed_client_takes_its_child_along(toy):
    client, child = toy.waiting("a")

    client.kill()

    wait_for(lambda: not processes.is_alive(child))
    assert processes.is_alive(toy.server)
    assert toy.do("train:tell")[0] == 0


def test_a_killed_warm_process_takes_its_children_along_and_their_jobs_are_done_alone(toy):
    client, child = toy.waiting("a", 1)

    os.kill(toy.server.pid, signal.SIGKILL)

    wait_for(lambda: not processes.is_alive(child))
    assert client.wait(30) == 0
    assert (toy.root / "done").read_text().split() == [str(client.pid)]
    assert " False " in toy.do("train:tell")[1]


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_the_warm_process_ends_with_its_run_and_leaves_nothing(toy, how):
    toy.do("train:tell")
    assert toy.left()

    toy.run.stdin.close() if how == "ends" else toy.run.kill()

    wait_for(lambda: not processes.is_alive(toy.server))
    assert toy.left() == []


def test_when_the_run_is_killed_its_jobs_end(toy):
    client, child = toy.waiting("a")

    toy.run.kill()

    assert client.wait(20) == 128 + signal.SIGTERM
    assert not processes.is_alive(child)
    wait_for(lambda: not toy.left())


def test_jobs_that_do_not_listen_are_ended_with_the_run(toy):
    client, child = toy.waiting("a")
    os.kill(child.pid, signal.SIGSTOP)

    toy.run.kill()

    assert client.wait(20) == -signal.SIGKILL


def test_the_socket_is_its_owners_and_what_a_power_cut_left_is_removed(toy, monkeypatch):
    (path,) = toy.left()
    monkeypatch.chdir(toy.root)
    os.kill(toy.server.pid, signal.SIGKILL)
    wait_for(lambda: refuses(toy.socket))  # its command line is gone before its socket is closed
    assert path.stat().st_mode & 0o777 == 0o600

    listener, own = warm._listener()

    assert toy.left() == [toy.root / own]
    listener.close()


def test_none_is_started_where_it_is_off(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(warm.VARIABLE, warm.OFF)

    assert warm.start() is None
    assert warm.pass_on(["job", "train:x"]) is None
    assert not list(tmp_path.iterdir())


def said(toy, *messages, files=()):
    """Send messages to the warm process, as a client that may write anything; return its answer to the first."""
    with contextlib.chdir(toy.root):  # its address is short there
        connection = warm._connected(toy.socket)
    with connection:
        connection.settimeout(20)
        socket.send_fds(connection, [messages[0]], files)
        answer = connection.recv(warm.LONGEST)
        for message in messages[1:]:
            connection.send(message)
            time.sleep(0.1)
        return answer


def well_formed(toy, **changes):
    asked = {
        "arguments": ["job", "train:waits", "30"],
        "folder": str(toy.root),
        "environment": toy.environment,
        "python": warm.identity(),
    }
    return json.dumps(asked | changes).encode()


MALFORMED = {
    "no JSON": b"x",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"1",
    "nothing in it": b"{}",
    "nested too deeply": b"[" * 200_000,
    "cut off": b'{"arguments": ["job", "train:tell"',
    "a number too long": b"9" * 10_000,
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_refused_and_the_next_job_is_done(lasting_toy, message):
    answer = said(lasting_toy, message, files=[0, 1, 2])

    assert "not understood" in json.loads(answer)["refused"]
    assert processes.is_alive(lasting_toy.server)
    assert " True " in lasting_toy.do("train:tell")[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": "job"}, {"arguments": ["job", 1]}, {"arguments": []}, {"arguments": ["job", "train:tell", "a\0b"]},
        {"arguments": ["job", "train:tell", "\ud800"]}, {"environment": {"_": 1}}, {"environment": {"_": "a\0b"}},
        {"environment": []}, {"environment": {"_": "\ud800"}},
    ],
)  # fmt: skip
def test_a_message_of_the_wrong_types_is_refused(lasting_toy, changes):
    if isinstance(changes.get("environment"), dict):
        changes = {"environment": lasting_toy.environment | changes["environment"]}

    answer = said(lasting_toy, well_formed(lasting_toy, **changes), files=[0, 1, 2])

    assert "not understood" in json.loads(answer)["refused"]
    assert processes.is_alive(lasting_toy.server)


def test_where_torch_cannot_be_imported_a_job_is_done_alone(toy):
    (toy.root / "src/torch/__init__.py").write_text("raise ImportError('broken')")

    assert " False " in toy.do("train:tell")[1]
    assert processes.is_alive(toy.server)


@pytest.mark.parametrize("files", [[], [0], [0, 1]])
def test_a_job_without_its_three_streams_is_refused(lasting_toy, files):
    answer = said(lasting_toy, well_formed(lasting_toy), files=files)

    assert "not understood" in json.loads(answer)["refused"]
    assert processes.is_alive(lasting_toy.server)


@pytest.mark.parametrize("message", [b"x", b"[]", b"{}", b'{"signal": "9"}', b'{"signal": 4711}', b'{"signal": -1}',
                                     b'{"signal": 1e99}', b"[" * 200_000, b'{"signal": 99999999999999999999}'])  # fmt: skip
def test_a_malformed_signal_leaves_the_job_at_work_until_its_client_is_gone(lasting_toy, message):
    first = said(lasting_toy, well_formed(lasting_toy), message, message, files=[0, 1, 2])

    child = json.loads(first)["pid"]
    assert processes.is_alive(lasting_toy.server)
    wait_for(lambda: processes.current(child) is None)
    assert " True " in lasting_toy.do("train:tell")[1]


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError])
def test_a_socket_of_another_user_or_one_that_vanishes_does_not_matter(error, monkeypatch, tmp_path):
    def refused(path):
        raise error

    monkeypatch.chdir(tmp_path)
    other = tmp_path / ".touchstone/warm.1.socket"
    other.parent.mkdir()
    other.touch()
    monkeypatch.setattr(warm, "_connected", refused)

    listener, own = warm._listener()

    listener.close()
    assert Path(own).exists()
    assert other.exists()
