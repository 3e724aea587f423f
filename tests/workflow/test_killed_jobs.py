"""A job that is ended from outside: the run says by which signal, and does not show an empty log."""

from projects import study_text

PINNED = "sha256:e34d9899136e13080fb109e32926b3834fe0fff9e83100089bb8e09c9e47ac94"
NUMBERS = {"killed": 9, "terminated": 15, "crashed": 11}
WORDS = {
    "killed": "the rule fetch failed: its job was killed (SIGKILL). Most likely the machine ran out of memory",
    "terminated": "the rule fetch failed: its job was terminated from outside (SIGTERM)",
    "crashed": "the rule fetch failed: its job crashed (SIGSEGV)",
}


def test_the_run_says_of_each_job_which_signal_ended_it(clone, study):
    """Three sources of one study are fetched, and each job is ended by another signal."""
    path = study()
    clone.edit(
        "src/touchstone/pipeline/steps/fetch.py",
        "    source(folder)\n",
        f"    import os\n    os.kill(os.getpid(), {NUMBERS}[name])\n",
    )
    sets = {f"{name}_test": {"use": "digits", "source": name, "part": "test", "limit": 60} for name in NUMBERS}
    sources = {name: {"use": "sklearn_digits", "sha256": PINNED} for name in NUMBERS}
    data = {"sources": sources, "sets": sets, "calibration": "killed_test"}
    sheet = {"use": "data_sheet", "question": "What is in them?", "examples": [*sets], "resamples": 10}
    (clone.root / path).write_text(study_text("", title="Killed", data=data, change={"evaluations": {"sheet": sheet}}))

    done = clone.run(clone.touchstone("run", path, "--cores", "1"), check=False)

    assert done.returncode == 1
    for name, words in WORDS.items():
        _, _, after = done.stderr.partition(words)
        assert f"logs/fetch/{name}.log is empty" in after.partition("the rule ")[0], done.stderr
