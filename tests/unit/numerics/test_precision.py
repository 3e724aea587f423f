"""How torch computes, as the study says: number formats, memory order, and batches that become smaller."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from run_tasks import path, read, run_tasks
from touchstone.models.networks import checkpoints
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics import precision
from touchstone.pipeline.jobs import adapters
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import sidecar_files
from touchstone.records.metric_tables import Metrics

SHAPE = (1, 8, 8)
MEASURED = path("margins", "measure/cnn.0")
CNN = {"use": "models/small_cnn", "width": 4, "hidden": 8}


@pytest.fixture
def folder(twelve_images):
    twelve_images(SHAPE)


FGSM = {"use": "training/adversarial", "attack": {"use": "attacks/fgsm", "eps": 0.1}, "clean_weight": 0.5}


def trained(output, component=FGSM, outliers=(), **settings):
    loop = {"epochs": 2, "batch_size": 4, "learning_rate": 0.01}
    own = {"component": component, "architecture": CNN, "seed": 0, "device": "cpu", "threads": 1, "loop": loop}
    inputs = {"train": "images", "validation": "images"} | ({"outliers": list(outliers)} if outliers else {})
    run_tasks(Task("train", inputs, made(output), own | settings), recompute=True)
    return read(made(output), "Checkpoint")


def made(name):
    return path(name, f"train/{name}.0")


def apart(first, second):
    return max(float(np.abs(first.weights[name] - second.weights[name]).max()) for name in first.weights)


def network():
    return checkpoints.build(
        lambda shape, classes: small_cnn(shape, classes, width=4, hidden=8), SHAPE, 3, (0.5,), (0.2,)
    )


def test_channels_last_gives_the_same_logits_from_weights_in_another_order():
    images = torch.rand(5, *SHAPE)
    usual = network().eval()(images)

    laid = precision.adapted(network().eval(), {"memory_format": "channels_last"})

    convolutions = [part for part in laid.modules() if isinstance(part, torch.nn.Conv2d)]
    assert all(part.weight.is_contiguous(memory_format=torch.channels_last) for part in convolutions)
    assert any(not part.weight.is_contiguous() for part in convolutions)
    torch.testing.assert_close(laid(images), usual, rtol=1e-5, atol=1e-6)


def test_a_network_trained_in_channels_last_has_the_same_checkpoint_up_to_rounding(folder):
    usual, laid = trained("usual"), trained("laid", memory_format="channels_last")

    assert 0 <= apart(usual, laid) < 1e-4
    assert {name: values.shape for name, values in laid.weights.items()} == {
        name: values.shape for name, values in usual.weights.items()
    }


def test_training_in_bfloat16_keeps_float32_weights_that_differ_by_its_rounding_and_comes_out_again(folder):
    usual, once, again = trained("usual"), trained("once", precision="bfloat16"), trained("again", precision="bfloat16")

    assert {values.dtype for values in once.weights.values()} == {np.dtype(np.float32)}
    assert 1e-6 < apart(usual, once) < 0.05
    assert Path(made("once")).read_bytes() == Path(made("again")).read_bytes()
    assert again.history["validation_loss"][-1] == pytest.approx(usual.history["validation_loss"][-1], abs=0.02)


@pytest.mark.parametrize(
    ("component", "outliers"),
    [
        ({"use": "training/trades", "eps": 0.1, "steps": 2}, []),
        ({"use": "training/outlier_exposed", "eps": 0.1, "steps": 2}, ["images"]),
    ],
)
def test_attacks_on_losses_that_autocast_does_not_know_run_in_bfloat16_and_compute_them_in_float32(
    folder, component, outliers
):
    usual, rounded = (trained(number, component, outliers, precision=number) for number in ("float32", "bfloat16"))

    assert apart(usual, rounded) > 1e-6
    assert rounded.history["train_loss"] == pytest.approx(usual.history["train_loss"], abs=0.02)


def test_a_network_in_bfloat16_returns_float32():
    model = checkpoints.build(
        precision.architecture(lambda shape, classes: small_cnn(shape, classes), {"precision": "bfloat16"}),
        SHAPE, 3, (0.5,), (0.2,),
    )  # fmt: skip
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(torch.rand(5, *SHAPE)).dtype == torch.float32
        assert network()(torch.rand(5, *SHAPE)).dtype == torch.bfloat16


def test_an_objective_in_bfloat16_computes_products_in_it_and_says_the_same_of_itself():
    def loss(model, images, *, draws):
        logits = model(images)
        return logits.dtype, torch.nn.functional.cross_entropy(logits, torch.zeros(5, dtype=torch.int64)).dtype

    computed = precision.objective(loss, {"precision": "bfloat16", "device": "cpu"})

    assert computed(network(), torch.rand(5, *SHAPE), draws=None) == (torch.bfloat16, torch.float32)
    assert inspect.signature(computed) == inspect.signature(loss)


@pytest.mark.parametrize("settings", [{}, {"precision": "tf32"}])
def test_an_objective_in_float32_is_left_as_it_is(settings):
    assert precision.objective(len, settings) is len


@pytest.fixture
def flags():
    """The two places that say whether TF32 is allowed, put back afterwards."""
    places = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [place.allow_tf32 for place in places]
    yield places
    for place, allowed in zip(places, before, strict=True):
        place.allow_tf32 = allowed


@pytest.mark.parametrize("settings, allowed", [({"precision": "tf32"}, True), ({}, False)])
def test_tf32_is_on_where_a_study_asks_for_it_and_off_otherwise(flags, settings, allowed):
    for place in flags:
        place.allow_tf32 = not allowed

    precision.set_up(settings)

    assert [place.allow_tf32 for place in flags] == [allowed, allowed]


def measured(monkeypatch, error, most, batch_size=256, **settings):
    """Run a job whose memory holds `most` images at a time; return the batch sizes that it tried."""
    tried = []

    def step(job):
        tried.append(job.settings["batch_size"])
        if tried[-1] > most:
            raise error
        job.write(Metrics(()))

    monkeypatch.setattr(adapters, "run_measure", step)
    block = {"batch_size": batch_size, "device": "cpu", "threads": 1} | settings
    run_tasks(Task("measure", {}, MEASURED, block))
    return tried


NO_MEMORY = [torch.OutOfMemoryError("CUDA out of memory"), MemoryError("Unable to allocate"), MemoryError(),
             RuntimeError("DefaultCPUAllocator: can't allocate memory")]  # fmt: skip


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
def test_where_memory_runs_out_batches_are_halved_and_the_user_is_told(folder, monkeypatch, capsys, error):
    assert measured(monkeypatch, error, most=64) == [256, 128, 64]

    told = capsys.readouterr().err
    assert f"{MEASURED}: memory ran out at 128 images at a time; continuing with 64 (compute.batch_size)" in told
    assert sidecar_files.read_sidecar(Path(MEASURED))["settings"]["batch_size"] == 256


def test_where_one_image_is_too_much_the_job_fails_in_words(folder, monkeypatch):
    with pytest.raises(
        JobError, match=r"margins\.safetensors: memory ran out \(CUDA out of memory\); one image at a time"
    ):
        measured(monkeypatch, NO_MEMORY[0], most=0, batch_size=3)

    assert not Path(MEASURED).exists()


def test_a_network_that_draws_is_not_tried_with_fewer_images_which_would_draw_others(folder, monkeypatch):
    with pytest.raises(JobError, match=r"so fewer images at a time would draw others: set compute\.batch_size below 8"):
        measured(monkeypatch, NO_MEMORY[0], most=4, batch_size=8, draws=20, seed=0)

    assert not Path(MEASURED).exists()


def test_another_error_is_not_taken_for_a_lack_of_memory(folder, monkeypatch):
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        measured(monkeypatch, RuntimeError("shapes do not fit"), most=0)


def test_training_that_runs_out_of_memory_names_the_setting_since_its_batch_is_part_of_what_is_trained(
    folder, monkeypatch
):
    def step(job):
        raise NO_MEMORY[0]

    monkeypatch.setattr(adapters, "run_train", step)

    with pytest.raises(JobError, match=r"cnn\.0\.safetensors: memory ran out .*; give the entry a smaller batch_size"):
        run_tasks(Task("train", {}, made("cnn.0"), {"device": "cpu", "threads": 1, "loop": {}}))


@pytest.mark.parametrize("scale", [0, 1e-30, 1e-4, 1, 1e30])
def test_rounding_grows_with_the_largest_value(scale):
    values = np.array([-2.0, 1.0]) * scale

    assert precision.float32_rounding(values) == pytest.approx(64 * np.finfo(np.float32).eps * 2 * scale)
    assert precision.float32_rounding(torch.from_numpy(values), np.array([4 * scale]), steps=1) == pytest.approx(
        np.finfo(np.float32).eps * 4 * scale
    )
    assert precision.float32_rounding(np.empty(0)) == 0


@pytest.mark.parametrize("scale", [1e-30, 1, 1e30])
def test_what_one_float32_step_changes_is_within_rounding(scale):
    values = (np.random.default_rng(0).normal(size=100) * scale).astype(np.float32)

    assert np.abs(np.nextafter(values, np.float32(np.inf)) - values).max() <= precision.float32_rounding(
        values, steps=1
    )
