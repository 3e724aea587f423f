"""A folder with the made-up study of open_claims.py."""

from pathlib import Path

import pytest
import yaml
from open_claims import EXPERIMENT, PAPER

from projects import write_study
from touchstone import plugins
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow, Metrics, encode
from touchstone.report import packing
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a study over a paper of its own; it yields what finishes the study with given rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    (tmp_path / "Snakefile").touch()  # it is a clone
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    digits = yaml.safe_load((ROOT / "workflow/studies/digits.yaml").read_text())
    parts = {key: digits[key] for key in ("title", "data", "scale")}
    write_study(tmp_path, "own", yaml.safe_dump(parts | {"papers": {"./mine": "full"}}))
    (tmp_path / "mine").mkdir()

    def finish(criteria, rows):
        casts = {name: {"net": cast} for name, (_, cast) in criteria.items()}
        paper = PAPER | {"criteria": {name: block for name, (block, _) in criteria.items()}}
        (tmp_path / "mine/claims.yaml").write_text(yaml.safe_dump(paper))
        (tmp_path / "mine/experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT | {"claims": casts}))
        plan = Plan(load("own"))
        whole = MetricRow(
            "mine_robustness", "cnn_pgd", "digits_test", "accuracy", 0.9, "fraction", 0.8, 1.0, 360, None, 0, Threat(), (),
            images=360,
        )  # fmt: skip
        table = encode(Metrics([whole, *(row for make in rows for row in make(plan))]))
        (tmp_path / "reports/own").mkdir(parents=True)
        (tmp_path / "reports/own" / packing.METRICS).write_bytes(packing.compressed(table))
        return plan

    yield finish
    plugins.use([])
