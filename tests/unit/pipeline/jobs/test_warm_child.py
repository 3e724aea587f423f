"""A child of the warm process: what it takes over, and what it leaves to the process that forked it."""

import subprocess
import sys

from touchstone.pipeline.jobs import warm_child

ENDS = """
import atexit
import logging
import os
import weakref

from touchstone.pipeline.jobs import warm_child


class Thing:
    pass


def leave(whose):
    global thing
    thing = Thing()
    weakref.finalize(thing, print, f"{whose} finalizer")
    atexit.register(print, f"{whose} function")
    buffer = logging.handlers.MemoryHandler(10, target=logging.StreamHandler(sys.stdout))
    buffer.emit(logging.makeLogRecord({"msg": f"{whose} log", "levelno": logging.INFO}))
    buffers.append(buffer)


import logging.handlers
import sys

buffers = []
leave("package's")
if not os.fork():
    buffers.clear()
    warm_child.drop_exit_functions()
    leave("job's")
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)
os.wait()
print("the warm process ends", flush=True)
"""


def test_a_child_does_at_its_end_what_its_job_registered_and_nothing_else():
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)

    of_child, of_parent = done.stdout.split("the warm process ends\n")
    assert sorted(of_child.splitlines()) == ["job's finalizer", "job's function", "job's log"]
    assert sorted(of_parent.splitlines()) == ["package's finalizer", "package's function", "package's log"]
    assert done.stderr == ""


def test_the_state_of_a_file_changes_with_its_bytes_and_a_file_that_is_gone_has_none(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("1")
    before = warm_child.states([file, tmp_path / "gone.py"])
    file.write_text("12")

    assert list(before) == [str(file)]
    assert warm_child.states([str(file)]) != before
    assert any(name.endswith("jobs/warm_child.py") for name in warm_child.package_states())
    assert any(name.endswith("papers/aloe/paper.yaml") for name in warm_child.package_states())
