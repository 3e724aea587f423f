"""Forged numbers that are close to the honest ones by some measure of their author's: a verifier's own measure names them.

The study is invented: an MSP whose scores are saturated, a Mahalanobis detector, and a planted network.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from planted_networks import WEIGHTS, plant, run_task, write
from touchstone import plugins
from touchstone.audit import artefact_checks
from touchstone.audit.problems import Result
from touchstone.audit.recomputation import Recomputation
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import sidecar_files
from touchstone.records import encoding
from touchstone.records.nouns import Checkpoint, ExampleSet, Outputs

N = 200
SHARED = {"seed": 0, "batch_size": 64, "device": "cpu", "threads": 1}
RATES = {"false_positive_rates": [0.05, 0.5]}
MSP = SHARED | RATES | {"component": {"use": "detectors/msp"}}
MAHALANOBIS = SHARED | RATES | {"component": {"use": "detectors/mahalanobis", "label": "penultimate"}}
INFER = SHARED | {"architecture": {"use": "models/linear"}, "confounding": {}}
TASKS = {
    task.output: task
    for task in (
        Task("fit", {"outputs": "known"}, "msp", MSP),
        Task("score", {"detector": "msp", "outputs": "strange"}, "msp_scores", MSP),
        Task("fit", {"fit_outputs": "known", "outputs": "known"}, "mahalanobis", MAHALANOBIS),
        Task("score", {"detector": "mahalanobis", "outputs": "strange"}, "mahalanobis_scores", MAHALANOBIS),
        Task("infer", {"checkpoint": "linear", "examples": "images"}, "outputs", INFER),
    )
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of the finished study."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        torch.set_num_threads(1)
        draw = np.random.default_rng(0)
        for name, shift in (("known", 0.0), ("strange", 0.5)):
            logits = draw.normal(size=(N, 10)).astype(np.float32)
            logits[:, 0] += np.float32(15)  # the largest probability is 1 but for about 1e-5
            features = (shift + draw.normal(size=(N, 6))).astype(np.float32)
            features[0] *= 50  # of one row, all is large
            write(name, Outputs(logits, np.zeros(N, np.int64), np.arange(N), {"penultimate": features}))
        plant({"linear": "self.slope * sums(images)"})
        images = draw.uniform(0.45, 0.55, (N, 1, 1, 3)).round(2)
        images[0] = 1  # the logits of one row are large, and those of another small
        images[1] = 0.5, 0.5, 0.50005
        write("images", ExampleSet(np.float32(images), np.zeros(N, np.int64), np.arange(N), "planted"))
        write("linear", Checkpoint(WEIGHTS, {"use": "models/linear"}, (1, 1, 3), 2, (0.0,), (1.0,)))
        plugins.use([folder / "plugins"])
        for task in TASKS.values():
            run_task(task)
        plugins.use([])
    return folder


@pytest.fixture(autouse=True)
def copied(made, tmp_path, monkeypatch):
    """A copy of the finished study, in which the test is."""
    for path in made.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    plugins.use([made / "plugins"])
    yield
    plugins.use([])


def noun(file):
    return encoding.decode(Path(file).read_bytes())


def forge(file, **fields):
    """Write other fields into a noun."""
    Path(file).write_bytes(encoding.encode(replace(noun(file), **fields)))


def say_another_cpu(file):
    """Let the record of an artefact name another processor than this one."""
    record = sidecar_files.read_sidecar(Path(file))
    facts = {name: value for name, value in record.items() if name != "artefact"}
    sidecar_files.write_sidecar(Path(file), record["artefact"], facts | {"cpu": "aten=avx512 mkl=avx2"})


def problems(*files, **settings):
    """The problems that a verifier names in some files, in order; `settings` are those of all tasks in the pack."""
    return [f"{problem.file}: {problem.message}" for problem in checked(*files, **settings).problems]


def checked(*files, **settings):
    """What a verifier says of some files."""
    tasks = {file: replace(task, settings=task.settings | settings) for file, task in TASKS.items()}
    reader = Recomputation(SimpleNamespace(tasks=tasks, files=list(files)), Path(), "cpu", {})
    result, counts = Result(), artefact_checks.Counts()
    for file in files:
        artefact_checks._check(reader, tasks[file], counts, result)
    artefact_checks._say_what_was_proved(counts, result)
    return result


def flagged(scores, rate="0.5"):
    return (scores > noun("msp").thresholds[rate]).mean()


def test_honest_files_are_equal_to_the_last_bit():
    assert problems(*TASKS) == problems(*TASKS, device="cuda") == []


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_scores_that_are_all_shifted_so_that_the_flagged_share_moves_are_named(device):
    scores = noun("msp_scores").scores
    shifted = scores - 0.9e-4 * abs(scores).max()
    assert flagged(scores) - flagged(shifted) > 0.4
    forge("msp_scores", scores=shifted)

    (problem,) = problems("msp", "msp_scores", device=device)

    assert "its images are flagged otherwise at a false-positive rate of 0.5 in 100 of 200 rows" in problem


def test_a_moved_threshold_is_named():
    stated = noun("mahalanobis")
    moved = {rate: threshold + 0.04 * stated.spread for rate, threshold in stated.thresholds.items()}
    forge("mahalanobis", thresholds=moved)

    (problem,) = problems("mahalanobis")

    assert "its threshold for a false-positive rate of 0.05 is" in problem


def test_a_threshold_that_moves_less_than_rounding_but_flags_others_is_named():
    scores, stated = noun("msp_scores").scores, noun("msp").thresholds
    moved = {rate: threshold + 0.9e-4 for rate, threshold in stated.items()}
    assert (scores > moved["0.5"]).mean() < flagged(scores) - 0.4
    forge("msp", thresholds=moved)

    assert any(
        "its images are flagged otherwise at a false-positive rate of 0.5" in each
        for each in problems("msp", "msp_scores")
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_logits_of_one_row_that_are_within_the_largest_of_the_file_are_named(device):
    stated = noun("outputs")
    forged = stated.logits.copy()
    forged[1] *= -1
    assert abs(forged - stated.logits).max() < 0.9e-4 * abs(stated.logits).max()
    forge("outputs", logits=forged)

    (problem,) = problems("outputs", device=device)

    assert "1 of its predictions are other classes than recomputed; its logits" in problem
    assert f"1 of {N} rows differ, row 1" in problem


def altered_by_three_percent():
    """Write a Mahalanobis detector whose whitening is 3 % larger in one direction, with the thresholds that follow."""
    stated = noun("mahalanobis")
    whitening = stated.state["whitening"] * np.float32([1.03, 1, 1, 1, 1, 1])
    forge("mahalanobis", state=stated.state | {"whitening": whitening})
    reader = Recomputation(SimpleNamespace(tasks=TASKS, files=list(TASKS)), Path(), "cpu", {})
    forged = reader.calibration("mahalanobis")
    forge("mahalanobis", thresholds=forged.thresholds, spread=forged.spread)
    forge("mahalanobis_scores", scores=reader.scores(TASKS["mahalanobis_scores"], forged).scores)


def test_a_fitted_detector_that_differs_on_an_equal_processor_is_named():
    altered_by_three_percent()

    (problem,) = problems("mahalanobis")

    assert "fitted again on a processor like that of its record, it is another detector" in problem


def test_a_record_that_names_another_processor_does_not_keep_its_detector_from_being_compared():
    altered_by_three_percent()
    say_another_cpu("mahalanobis")

    (problem,) = problems("mahalanobis")

    assert "its calibration scores, by the detector that is fitted here, are not what is computed here" in problem


def test_a_detector_that_differs_only_where_calibration_images_do_not_vary_is_found_by_what_it_says_of_others():
    """A forger alters the tensors where only anomalous images are; the calibration scores stay."""
    for name in ("known", "strange"):
        outputs = noun(name)
        features = outputs.features["penultimate"].copy()
        features[:, 5] = 0 if name == "known" else features[:, 5]
        write(name, replace(outputs, features={"penultimate": features}))
    for file in ("mahalanobis", "mahalanobis_scores"):
        run_task(TASKS[file])
    honest = noun("mahalanobis_scores").scores
    whitening = noun("mahalanobis").state["whitening"].copy()
    far = np.abs(whitening).max(axis=0).argmax()  # the direction without variance
    whitening[:, far] *= np.float32(0.5)
    forge("mahalanobis", state=noun("mahalanobis").state | {"whitening": whitening})
    reader = Recomputation(SimpleNamespace(tasks=TASKS, files=list(TASKS)), Path(), "cpu", {})
    scores = reader.scores(TASKS["mahalanobis_scores"], noun("mahalanobis")).scores
    assert np.median(scores) < 0.5 * np.median(honest)
    forge("mahalanobis_scores", scores=scores)
    say_another_cpu("mahalanobis")

    (problem,) = problems("mahalanobis", "mahalanobis_scores")

    assert (
        "mahalanobis_scores: recomputed, it differs: its scores, by the detector that is fitted here, are not"
        in problem
    )


def test_numbers_that_rounding_moves_elsewhere_are_close():
    """By a tenth of what is allowed: logits, scores, and the sign of a direction of a fit."""
    outputs, scores, fitted = noun("outputs"), noun("mahalanobis_scores"), noun("mahalanobis")
    forge("outputs", logits=outputs.logits * np.float32(1 + 3e-6))
    forge("mahalanobis_scores", scores=scores.scores * (1 + 2e-5))
    forge(
        "mahalanobis", state=fitted.state | {"whitening": fitted.state["whitening"] * np.float32([-1, 1, 1, 1, 1, 1])}
    )
    say_another_cpu("mahalanobis")

    assert problems(*TASKS) == []


def test_a_detector_that_may_differ_only_by_what_its_record_says_is_taken_on_trust():
    fitted = noun("mahalanobis")
    forge("mahalanobis", state=fitted.state | {"whitening": fitted.state["whitening"] * np.float32(1 + 1e-5)})
    assert len(problems("mahalanobis")) == 1

    say_another_cpu("mahalanobis")

    result = checked("mahalanobis")
    assert not result.problems
    assert [line for line in result.trusted if line.startswith("that 1 of the detectors and probes were trained on")]
