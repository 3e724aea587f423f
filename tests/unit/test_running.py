"""What a person sees of a run: counts read from Snakemake's words, the failing job's own log, one line at the end."""

from pathlib import Path

from touchstone import running

RUNNING = """Job stats:
job      count
-----  -------
train        2
total        9

[today]
Job 3: Train cnn.0
1 of 9 steps (11%) done
Finished jobid: 4 (Rule: train)
3 of 9 steps (33%) done
"""
FAILED = """Error in rule attack_main:
    message: None
    jobid: 1
    output: x
    log: {log} (check log file(s) for error details)
    shell:
        python
"""


def test_progress_is_read_from_snakemakes_words():
    assert running._count("") == (0, 0)
    assert running._count(RUNNING.split("[today]")[0]) == (0, 9)
    assert running._count(RUNNING) == (3, 9)


def test_the_last_line_says_where_the_report_is(tmp_path, capsys):
    log = tmp_path / "log"
    log.write_text(RUNNING.replace("3 of 9", "9 of 9"))

    assert running._conclude(0, log, "reports/x/report.html", 12.3) == 0

    assert capsys.readouterr().out == "9 jobs in 12 s. The report: reports/x/report.html\n"


def test_a_failure_shows_the_jobs_own_log_and_keeps_the_exit_code(tmp_path, capsys):
    job, log = tmp_path / "job.log", tmp_path / "log"
    job.write_text("touchstone: data/x: damaged\n")
    log.write_text(FAILED.format(log=job))

    assert running._conclude(1, log, "reports/x/report.html", 1.0) == 1

    told = capsys.readouterr().err
    assert "the rule attack_main failed" in told
    assert "data/x: damaged" in told
    assert str(job) in told


def test_without_a_failed_job_snakemakes_last_words_are_shown(tmp_path, capsys):
    log = tmp_path / "log"
    log.write_text("WorkflowError: the settings of study x are wrong\n")

    running._conclude(1, log, "reports/x/report.html", 1.0)

    assert "the settings of study x are wrong" in capsys.readouterr().err


def test_long_jobs_are_listed_from_their_progress_files(tmp_path):
    folder = tmp_path / "progress"
    folder.mkdir()
    (folder / "a.json").write_text('{"label": "cnn.0", "done": 3, "total": 9}')
    (folder / "b.json").write_text("{")

    assert list(running._long_jobs(Path(tmp_path))) == [("cnn.0", (3, 9))]
