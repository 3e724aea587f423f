"""Planted faults are refused by name before any network is trained, and the trained network is as robust as claimed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from known_truths import planted
from projects import study_text
from run_tasks import artefacts, run_tasks
from touchstone.pipeline.jobs import leak_check, leakage
from touchstone.pipeline.jobs.run import run
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.parts import Net, Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import folder_of
from touchstone.settings.problems import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
NEAR = 4 / 255
COPY = {"use": "gaussian_blocks", "stream": 3, "count": 100}  # the first hundred images of blocks_test
DETECTOR = '''"""A planted detector."""

from __future__ import annotations

from torch import Tensor


def planted({data}: Tensor) -> Tensor:
    """Return {score}, (N,)."""
    return {score}
'''


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """The plan of the study with some settings changed, in a folder of its own."""
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "benchmarks/known_truths", tmp_path / "benchmarks/known_truths")
    monkeypatch.chdir(tmp_path)

    def plan(calibration="blocks_calibration", plugins=(), **changes):
        base = Path("benchmarks/known_truths/known_answers.yaml").read_text()
        text = study_text(base, data={"calibration": calibration}, plugins=list(plugins), change=changes)
        Path("planted.yaml").write_text(text)
        return Plan(load("./planted.yaml", Path()))

    return plan


def prepared(plan):
    """Run the job that prepares the sets of a study; return what it has made."""
    job = plan.jobs["prepare", plan.study.name]
    pairs = [[*pair, why] for pair, why in apart.pairs(plan.study).items()]
    made = artefacts(*job.tasks, examples=plan.study["examples"], apart=pairs)
    run(made, Path("logs"))
    made.finish(Path(folder_of(plan.study.name, str(job))))
    return made


def detector(folder, data, score):
    path = folder / "mine/detectors/planted.py"
    path.parent.mkdir(parents=True)
    path.write_text(DETECTOR.format(data=data, score=score))
    return path


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({"classifiers": {"linear_rule": {"train": "copy"}}}, "classifiers.linear_rule.train"),
        ({"calibration": "copy"}, "data.calibration"),
        ({"classifiers": {"hasty_rule": {"calibration": "copy"}}}, "classifiers.hasty_rule.calibration"),
    ],
    ids=[
        "trained on test images",
        "thresholds of a study from test images",
        "thresholds of a network from test images",
    ],
)
def test_test_images_under_another_name_are_refused(planned, changes, role):
    made = prepared(planned(examples={"copy": COPY}, **changes))

    with pytest.raises(leakage.Leak, match=r"blocks_test shares 100 images with examples\.copy") as caught:
        leak_check.check(made)

    assert f"{role} is the second" in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"classifiers": {"linear_rule": {"train": "blocks_test"}}}, {"calibration": "blocks_test"}]
)
def test_test_images_under_their_own_name_are_refused_when_planning(planned, changes):
    with pytest.raises(ParamsError, match="blocks_test"):
        planned(**changes)


def test_a_detector_that_reads_the_labels_is_refused_when_planning(planned, tmp_path):
    detector(tmp_path, "labels", "(labels < 0).double()")
    evaluations = {"separations": {"detectors": ["marker", "cheat"]}}

    with pytest.raises(
        ParamsError, match=r"detectors\.cheat\.use: detectors/planted\.py scores images by their labels"
    ):
        planned(plugins=["mine"], detectors={"cheat": {"use": "planted"}}, evaluations=evaluations)


def test_the_trained_network_is_exactly_as_robust_as_claimed(planned):
    plan = planned()
    prepared(plan)
    (task,) = plan.jobs["train", "trained_rule.0"].tasks
    run_tasks(task)
    weights = {name: values.astype(float) for name, values in load_file(task.output).items() if "weights." in name}
    (matrix,), (offset,) = ([v for n, v in weights.items() if n.endswith(end)] for end in (".weight", ".bias"))
    tested = plan.layout.set_file(Set("blocks_test"))
    test = load_file(tested)
    signs = 2 * test["labels"] - 1
    leads = test["images"].reshape(-1, 16).astype(float) @ (matrix[1] - matrix[0]) + offset[1] - offset[0]

    right = signs * leads > NEAR * abs(matrix[1] - matrix[0]).sum()

    claimed, error = planted.LEFT - planted.MARGIN, 0.02  # the standard error of 600 images
    assert np.mean(right) > claimed + 3 * error


def test_a_router_that_reads_its_batch_is_refused_when_it_scores(planned, tmp_path):
    detector(tmp_path, "images", "images.flatten(1).mean(1) - images.mean()")
    changes = {"detectors": {"cheat": {"use": "planted"}}, "defences": {"routed_rule": {"router": "cheat"}}}
    plan, net = planned(plugins=["mine"], **changes), Net("linear_rule", 0)
    prepared(plan)
    run_tasks(plan.tasks[plan.layout.detector_of(net, "cheat")])

    with pytest.raises(ValueError, match=r"planted scores an image differently if it is alone"):
        run_tasks(plan.tasks[plan.layout.scores_of(net, "cheat", Set("blocks_calibration"))])
