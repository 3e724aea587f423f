"""The line of progress of calls for notebooks that take long."""

import io
import re
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch import nn

from touchstone.api import progress as progress_line
from touchstone.api.brittle_inputs import brittle_inputs, brittle_threshold
from touchstone.api.robust_accuracy import evaluate
from touchstone.attacks.random_sign import random_sign
from touchstone.numerics.tensors import seeded

IMAGES, LABELS = torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
FEW = {"steps": 2, "queries": 2}
with seeded(0, "init"):
    MODEL = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(progress_line, "AFTER", 0.1)
    monkeypatch.setattr(progress_line, "EVERY", 0.05)
    monkeypatch.setattr(progress_line, "LOGGED", 0.1)


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(
    ("stream", "progress", "shown"),
    [(Terminal, None, True), (Terminal, True, True), (Terminal, False, False), (io.StringIO, None, False)],
)
def test_what_takes_long_says_how_far_it_is_on_a_terminal(monkeypatch, stream, progress, shown):
    monkeypatch.setattr(sys, "stderr", stream())

    with progress_line.counted("words", 3, progress) as step:
        step()
        time.sleep(0.5)

    text = sys.stderr.getvalue()
    assert bool(re.search(r"\rwords: 1 of 3 steps, \d+ s", text)) is shown
    assert (text == "") is not shown
    assert text.endswith("\r") or not shown  # the line is cleared


@pytest.mark.usefixtures("fast")
def test_a_log_gets_whole_lines_that_nothing_overwrites(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    with progress_line.counted("words", 3, True) as step:
        step()
        time.sleep(0.5)

    lines = sys.stderr.getvalue().splitlines()
    assert len(lines) >= 2
    assert all(re.fullmatch(r"words: 1 of 3 steps, \d+ s", line) for line in lines)
    assert "\r" not in sys.stderr.getvalue()


@pytest.mark.usefixtures("fast")
def test_the_time_that_is_left_is_shown_and_its_words_are_cleared(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with progress_line.counted("words", 4, None) as step:
        for wait in (0, 0, 0.5, 0.5):
            step()
            time.sleep(wait)

    shown = sys.stderr.getvalue().split("\r")[1:]
    after = next(line for line in shown if line.startswith("words: 4 of 4"))
    assert shown[0] == "words: 3 of 4 steps, 0 s, less than a minute left"
    assert after.rstrip() in ("words: 4 of 4 steps, 0 s", "words: 4 of 4 steps, 1 s")
    assert len(after) == len(shown[0])  # no word of the longer line is left


def test_what_is_quick_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with progress_line.counted("words", 3, None) as step:
        step()

    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: evaluate(MODEL, IMAGES, LABELS, batch_size=5, progress=True, **FEW), 15),
        (lambda: evaluate(MODEL, IMAGES, LABELS, attacks=[partial(random_sign, eps=0.01)], progress=True, **FEW), 6),
        (lambda: brittle_inputs(MODEL, IMAGES, batch_size=5, progress=True), 3),
        (lambda: brittle_inputs(MODEL, IMAGES, batch_size=5, threshold=-1.0, progress=True), 3),
        (lambda: brittle_threshold(MODEL, IMAGES, eps=0.9, batch_size=5, progress=True), 3),
    ],
)
def test_a_call_counts_to_its_end(monkeypatch, call, expected):
    steps = []

    @contextmanager
    def counted(label, total, progress):
        assert progress is True
        yield lambda: steps.append(total)

    monkeypatch.setattr(progress_line, "counted", counted)
    call()

    assert steps == [expected] * expected


def test_no_thread_is_left_behind():
    with progress_line.counted("words", 1, True):
        assert [thread for thread in threading.enumerate() if thread.name == "touchstone progress"]

    assert not [thread for thread in threading.enumerate() if thread.name == "touchstone progress"]


def test_a_call_that_fails_clears_its_line(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress_line, "AFTER", 0.0)

    with pytest.raises(ZeroDivisionError), progress_line.counted("words", 3, None):
        time.sleep(0.1)
        raise ZeroDivisionError

    assert sys.stderr.getvalue().endswith("\r")
