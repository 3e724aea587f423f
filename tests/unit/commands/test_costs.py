"""`touchstone costs` draws a page from the run records; what they contain stays text."""

import json

import pytest

from touchstone.commands import costs
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.settings.study import load


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = {
        "step": "train", "rule": "train", "wildcards": {"trained": "<b>cnn</b>"}, "outputs": ["a"], "cpu_seconds": 3.0,
        "peak_bytes": 2e9, "start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:02:00+00:00", "host": "a&b",
        "commit": None, "dirty": False,
    }  # fmt: skip
    folder = tmp_path / "logs/x" / run_records.FOLDER
    folder.mkdir(parents=True)
    (folder / "one.json").write_text(json.dumps(record))
    return tmp_path / "logs/x"


def test_the_page_has_a_row_per_step_and_one_for_all_under_the_column_names(logs, capsys):
    costs.show("x")

    rows = [line for line in (logs / "costs.html").read_text().splitlines() if line.startswith("<tr>")]
    assert rows[0].count("<th>") == len(costs.COLUMNS)
    assert [row.partition("</td>")[0] for row in rows[1:]] == ["<tr><td>train", "<tr><td>all"]
    assert "<td>2.0</td>" in rows[1] and "<td>2.00</td>" in rows[1]


def test_the_share_of_the_checks_counts_jobs_of_nothing_but_check_attacks(logs, capsys):
    record = json.loads((logs / run_records.FOLDER / "one.json").read_text())
    jobs = {
        "attacks": [
            "data/x/attacked/test/cnn.0/check_0.safetensors",
            "data/x/attacked/test/cnn.0/check_05.safetensors",
        ],
        "reads": ["data/x/outputs/cnn.0/test_checks/cnn.0.zip#test/cnn.0/check_0"],
        "both": ["data/x/attacked/test/cnn.0/check_0.safetensors", "data/x/attacked/test/cnn.0/pgd.safetensors"],
    }
    for name, outputs in jobs.items():
        (logs / run_records.FOLDER / f"{name}.json").write_text(json.dumps(record | {"outputs": outputs}))

    costs.show("x", {"check_0", "check_05"})

    assert "Checks of attacks: 50.0% of the time." in capsys.readouterr().out


def test_the_check_attacks_are_those_that_only_checks_read():
    assert {"check_0", "check_square"} <= costs.check_attacks(study := load("digits"))
    assert not {"pgd", "reliable"} & costs.check_attacks(study)


def test_markup_in_a_record_is_shown_as_text(logs, capsys):
    costs.show("x")

    page = (logs / "costs.html").read_text()
    assert "&lt;b&gt;cnn&lt;/b&gt;" in page and "<b>" not in page
    assert "Hosts: a&amp;b." in page
