"""A job that is ended from outside: the run says by which signal, and does not show an empty log."""

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
    text = (clone.root / path).read_text()
    (source,) = [line for line in text.splitlines() if line.startswith("  sklearn_digits: ")]
    (example,) = [line for line in text.splitlines() if line.startswith("  digits_test: ")]
    sources = "\n".join(source.replace("sklearn_digits:", f"{name}:", 1) for name in NUMBERS)
    examples = [
        example.replace("digits_test:", f"{name}_test:").replace("source: sklearn_digits", f"source: {name}")
        for name in NUMBERS
    ]
    clone.edit(path, source, sources)
    clone.edit(path, example, "\n".join(examples))
    clone.edit(path, "calibration: digits_test", "calibration: killed_test")
    clone.edit(path, "[digits_test]", "[killed_test, terminated_test, crashed_test]")

    done = clone.run(clone.touchstone("run", path, "--cores", "1"), check=False)

    assert done.returncode == 1
    for name, words in WORDS.items():
        _, _, after = done.stderr.partition(words)
        assert f"logs/fetch/{name}.log is empty" in after.partition("the rule ")[0], done.stderr
