"""What a number rests on: networks with their seeds, and sets, in a made-up study."""

from dataclasses import replace

import pytest
from open_claims import criterion, files_behind, mean

from touchstone.commands._row_inputs import RowInputs
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import name_of
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow
from touchstone.settings.study import load


@pytest.fixture
def plan(project):
    return project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])


def test_the_networks_that_have_all_seeds_of_a_mean_can_have_more(plan):
    inputs, row = RowInputs(plan), mean(plan=plan)
    own = replace(row, files=(*files_behind(plan, "cnn", (0,)), *files_behind(plan, "cnn_pgd", (1, 2))))

    assert inputs.networks(row) == {"cnn_pgd": {0, 1, 2}}
    assert inputs.extensible(row) == [("classifiers", "cnn_pgd")]
    assert inputs.networks(own) == {"cnn": {0}, "cnn_pgd": {1, 2}}
    assert inputs.extensible(own) == []


def test_a_number_rests_on_the_sets_of_its_files_but_those_that_something_learned_from(plan):
    inputs, row = RowInputs(plan), mean(plan=plan)

    assert inputs.sets(row) == ["some"]
    assert inputs.sets(replace(row, files=(*row.files, "outputs/gone"))) == []
    assert inputs.sets(replace(row, evaluation="gone")) == []


def test_images_that_give_a_threshold_are_not_tested_on():
    plan = Plan(load("tiny"))
    name = next(name for name, entry in plan.study["evaluations"].items() if entry["use"] == "evaluations/evasion")
    cells = plan.questions.cells(name, ("calibration_scores", "scores"))
    row = MetricRow(
        name, "cnn", "", "", 0, "", None, None, 0, None, None, Threat(), tuple(name_of(cell.file) for cell in cells)
    )

    learned = {cell.facts["examples"] for cell in cells if cell.role == "calibration_scores"}
    assert learned == {plan.study["study"]["calibration"]}
    assert RowInputs(plan).sets(row) == plan.study["evaluations"][name]["examples"]
