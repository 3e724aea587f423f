"""A job that is ended from outside: the run says by which signal, and does not show an empty log."""

import pytest


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (9, "the rule fetch failed: its job was killed (SIGKILL). Most likely the machine ran out of memory"),
        (15, "the rule fetch failed: its job was terminated from outside (SIGTERM)"),
        (11, "the rule fetch failed: its job crashed (SIGSEGV)"),
    ],
)
def test_the_run_says_which_signal_ended_a_job(clone, study, number, words):
    clone.edit(
        "src/touchstone/pipeline/steps/fetch.py",
        "    source(folder)\n",
        f"    import os\n    os.kill(os.getpid(), {number})\n",
    )

    done = clone.run(clone.touchstone("run", study(), "--cores", "1"), check=False)

    assert done.returncode == 1
    assert words in done.stderr
    assert "logs/fetch/sklearn_digits.log is empty" in done.stderr
