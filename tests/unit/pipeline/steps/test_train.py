"""The training loop: its order, its draws, its choice of weights, and going on after a kill."""

from functools import partial

import numpy as np
import pytest
import torch
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from touchstone.models.maxout import maxout
from touchstone.models.mlp import mlp
from touchstone.models.networks import checkpoints
from touchstone.models.small_cnn import small_cnn
from touchstone.models.unet import unet
from touchstone.numerics import precision
from touchstone.pipeline.steps.train import train
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import ContractError, ExampleSet
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean
from touchstone.training.denoising import denoising
from touchstone.training.outlier_exposed import outlier_exposed
from touchstone.training.translation import translation

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def blobs(count, seed=0, source="blobs"):
    """Three classes of 2x2 images that differ in their brightest pixel."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = 0.4 * generator.random((count, 1, 2, 2))
    images.reshape(count, 4)[np.arange(count), labels] += 0.5
    return ExampleSet(images.astype(np.float32), labels.astype(np.int64), np.arange(count) * 7 + seed, source)


TRAIN, VALIDATION, OUTLIERS = blobs(50), blobs(20, seed=1), blobs(30, seed=2, source="others")
SMALL = partial(mlp, hidden=[6])


def run(objective=clean, architecture=SMALL, data=TRAIN, held_out=VALIDATION, **settings):
    given = {"epochs": 3, "batch_size": 8} | settings
    return train(
        data, held_out, architecture=architecture, architecture_settings={"use": "mlp"}, objective=objective, **given
    )


def fgsm(model, images, labels, generator, eps=0.1):
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        loss = functional.cross_entropy(model(images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return (images + eps * gradient.sign()).clamp(0, 1).detach()


class Recorder:
    """The clean objective, which remembers each batch."""

    def __init__(self):
        self.training, self.validation, self.draws, self.validation_draws = [], [], [], []

    def __call__(self, model, images, labels, generator):
        (self.training if model.training else self.validation).append(images.clone())
        (self.draws if model.training else self.validation_draws).append(generator.uniform(()))
        return clean(model, images, labels, generator)


class Constant(nn.Module):
    """A network whose only weight is what the tests' objectives ask for."""

    def __init__(self, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.classes = classes

    def forward(self, images):
        return self.weight.expand(len(images), self.classes)


def constant(input_shape, classes):
    return Constant(classes)


def downhill(model, images, labels, generator):
    return model[1].weight


def valley(model, images, labels, generator):  # falls in training, is lowest at -1 in validation
    return model[1].weight if model.training else (model[1].weight + 1) ** 2


def test_training_separates_the_classes():
    checkpoint = run(epochs=20, learning_rate=0.02)

    assert checkpoint.history["validation_accuracy"][-1] == 1
    assert checkpoint.history["train_loss"][-1] < 0.2 * checkpoint.history["train_loss"][0]
    assert all(len(curve) == 20 for curve in checkpoint.history.values())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    first, again, other = run(), run(), run(seed=1)

    assert encode(first) == encode(again)
    assert encode(first) != encode(other)


def test_the_checkpoint_loads_and_gives_its_own_validation_accuracy():
    checkpoint = decode(encode(run(epochs=8, learning_rate=0.01)))
    model = checkpoints.load(SMALL, checkpoint)

    predictions = model(torch.tensor(VALIDATION.images)).argmax(1).numpy()

    assert (predictions == VALIDATION.labels).mean() == checkpoint.history["validation_accuracy"][-1]


def test_normalisation_is_that_of_the_training_pixels():
    checkpoint = run(epochs=1)

    assert checkpoint.mean == pytest.approx([TRAIN.images.mean()], abs=1e-6)
    assert checkpoint.std == pytest.approx([TRAIN.images.std()], abs=1e-6)
    assert run(epochs=1, normalise=False).std == (1.0,)


def test_every_epoch_sees_each_training_image_once_in_another_order():
    recorder = Recorder()

    run(recorder)

    epochs = torch.cat(recorder.training).view(3, 50, -1)
    as_sets = [{tuple(image.tolist()) for image in epoch} for epoch in epochs]
    assert as_sets[0] == as_sets[1] == as_sets[2] and len(as_sets[0]) == 50
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0].flatten(), torch.tensor(TRAIN.images).flatten())


def test_validation_is_never_shuffled_and_draws_the_same_in_every_epoch():
    recorder = Recorder()

    run(recorder)

    epochs = torch.cat(recorder.validation).view(3, 20, 1, 2, 2)
    assert all(torch.equal(epoch, torch.tensor(VALIDATION.images)) for epoch in epochs)
    draws = torch.cat(recorder.validation_draws).view(3, 20)
    assert torch.equal(draws[0], draws[1]) and torch.equal(draws[0], draws[2])


def test_what_validation_draws_from_the_global_generator_depends_on_the_seed_alone():
    def drawing(model, images, labels, generator):
        return 0 * model[1].weight + torch.rand(())

    def curve(seed):
        return run(drawing, constant, seed=seed).history["validation_loss"].tolist()

    first, again, other = curve(0), curve(0), curve(1)

    assert first == again and len(set(first)) == 1
    assert first != other


def brightness(model, images, labels, generator):
    return images.mean() + 0 * model[1].weight


def test_the_losses_are_means_over_examples_whatever_the_last_batch_holds():
    checkpoint = run(brightness, constant, epochs=1, batch_size=8)  # 50 and 20 examples: the last batches hold 2 and 4

    assert checkpoint.history["train_loss"] == pytest.approx([TRAIN.images.mean()], rel=1e-5)
    assert checkpoint.history["validation_loss"] == pytest.approx([VALIDATION.images.mean()], rel=1e-5)


def test_dropout_differs_from_epoch_to_epoch_and_not_from_run_to_run():
    def masks():
        seen = []

        def watching(model, images, labels, generator):
            if model.training:
                seen.append(model[1][1](torch.ones(4, 16)))
            return clean(model, images, labels, generator)

        run(
            watching,
            lambda input_shape, classes: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(4, classes)),
            epochs=2,
        )
        return seen

    first, again = masks(), masks()

    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[len(first) // 2])


def test_the_order_and_the_draws_do_not_depend_on_objective_settings_or_architecture():
    first, second = Recorder(), Recorder()

    run(first)
    run(second, architecture=partial(mlp, hidden=[3]), learning_rate=0.1, optimizer="sgd", normalise=False)

    assert all(torch.equal(one, other) for one, other in zip(first.training, second.training, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(first.draws, second.draws, strict=True))


def test_the_draws_of_an_example_do_not_depend_on_the_batch_size():
    first, second = Recorder(), Recorder()

    run(first, epochs=1, batch_size=8)
    run(second, epochs=1, batch_size=50)

    assert torch.equal(torch.cat(first.draws), torch.cat(second.draws))


def test_the_draws_differ_from_epoch_to_epoch():
    recorder = Recorder()

    run(recorder, epochs=2)

    drawn = torch.cat(recorder.draws).view(2, 50).sort(1).values
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("objective", [partial(adversarial, attack=fgsm, clean_weight=1.0),
                                       partial(adversarial, attack=partial(fgsm, eps=0.0), clean_weight=0.5),
                                       partial(adversarial, attack=partial(fgsm, eps=0.0))])  # fmt: skip
def test_adversarial_training_without_an_attack_gives_the_weights_of_plain_training(objective):
    plain, found = run(), run(objective)

    assert all(np.array_equal(found.weights[name], plain.weights[name]) for name in plain.weights)


def test_the_cosine_schedule_falls_from_the_learning_rate_to_zero():
    checkpoint = run(downhill, constant, optimizer="sgd", momentum=0.0, learning_rate=0.5, epochs=2, batch_size=25)

    rates = [0.5 * 0.5 * (1 + np.cos(np.pi * step / 4)) for step in range(4)]
    assert float(checkpoint.weights["weight"]) == pytest.approx(-sum(rates), rel=1e-6)


def test_the_constant_schedule_keeps_the_learning_rate():
    settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "schedule": "constant"}

    checkpoint = run(downhill, constant, epochs=2, batch_size=25, **settings)

    assert float(checkpoint.weights["weight"]) == -2.0


def test_weight_decay_is_half_the_squared_norm():
    def flat(model, images, labels, generator):
        return 0 * model[1].weight

    def started_at_one(input_shape, classes):
        network = Constant(classes)
        nn.init.ones_(network.weight)
        return network

    settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "weight_decay": 0.2, "schedule": "constant"}

    checkpoint = run(flat, started_at_one, epochs=1, batch_size=25, **settings)

    assert float(checkpoint.weights["weight"]) == pytest.approx(0.9**2)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_momentum_is_a_setting_of_both_optimisers(optimizer):
    slow, fast = (run(optimizer=optimizer, momentum=momentum, learning_rate=0.01) for momentum in (0.0, 0.9))

    assert encode(slow) != encode(fast)


def test_best_keeps_the_weights_of_the_lowest_validation_loss():
    settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "schedule": "constant", "batch_size": 50}

    best = run(valley, constant, epochs=5, choose="best", **settings)
    last = run(valley, constant, epochs=5, choose="last", **settings)

    assert float(best.weights["weight"]) == -1.0 and best.notes["chosen_epoch"] == 2
    assert float(last.weights["weight"]) == -2.5 and last.notes["chosen_epoch"] == 5


def test_best_weights_from_before_a_kill_are_not_lost():
    settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.5, "schedule": "constant", "batch_size": 50}
    kept = []
    with pytest.raises(Killed):
        run(valley, constant, epochs=5, choose="best", keep=kill_after(3, kept), **settings)

    resumed = run(valley, constant, epochs=5, choose="best", resume=unpack(kept[-1]), **settings)

    assert float(resumed.weights["weight"]) == -1.0 and resumed.notes["chosen_epoch"] == 2


def test_the_validation_loss_is_the_objective_itself():
    attacked = run(partial(adversarial, attack=fgsm), epochs=1)
    model = checkpoints.load(SMALL, attacked)
    images, labels = torch.tensor(VALIDATION.images), torch.tensor(VALIDATION.labels)

    loss = functional.cross_entropy(model(fgsm(model, images, labels, None)), labels)

    assert attacked.history["validation_loss"][0] == pytest.approx(loss.item(), rel=1e-5)


class Killed(Exception):
    pass


def kill_after(epoch, kept):
    def keep(state):
        kept.append(pack({name: np.ascontiguousarray(values) for name, values in state.items()}))
        if len(kept) == epoch:
            raise Killed

    return keep


def with_batch_statistics(input_shape, classes):
    return nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, classes))


@pytest.mark.parametrize("choose", ["last", "best"])
@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("adam", 0.9)])
@pytest.mark.parametrize("architecture", [partial(maxout, units=4, pieces=2), with_batch_statistics])
def test_a_killed_and_resumed_run_gives_equal_bytes(choose, optimizer, momentum, architecture):
    objective = partial(adversarial, attack=fgsm, clean_weight=0.5)
    settings = {"choose": choose, "optimizer": optimizer, "momentum": momentum, "epochs": 4, "learning_rate": 0.05}
    kept = []
    with pytest.raises(Killed):
        run(objective, architecture, keep=kill_after(2, kept), **settings)

    resumed = run(objective, architecture, resume=unpack(kept[-1]), **settings)

    assert encode(resumed) == encode(run(objective, architecture, **settings))


def two_pixels(images):
    return images[..., :1, :]


def against_a_judge(model, images, labels, generator, companions):
    """A game that changes both networks: the judge scores what the model makes, and learns from it."""
    made = model(images)
    return (made - images).abs().mean() + companions(two_pixels(made)).mean() + companions(two_pixels(images)).var()


def judge(shape):
    return nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_killed_game_is_resumed_with_its_companions_to_equal_bytes(optimizer):
    settings = {"companions": judge, "optimizer": optimizer, "epochs": 4, "learning_rate": 0.05, "choose": "best"}
    architecture = partial(unet, filters=1)
    kept = []
    with pytest.raises(Killed):
        run(against_a_judge, architecture, keep=kill_after(2, kept), **settings)

    resumed = run(against_a_judge, architecture, resume=unpack(kept[-1]), **settings)

    whole = run(against_a_judge, architecture, **settings)
    assert encode(resumed) == encode(whole)
    assert set(whole.weights) == set(
        checkpoints.weights_of(checkpoints.build(architecture, (1, 2, 2), 0, (0.0,), (1.0,)))
    )


def test_companions_start_from_the_seed_and_step_in_training_alone():
    weights, fresh = [], None

    def remember(model, images, labels, generator, companions):
        weights.append([parameter.detach().clone() for parameter in companions.parameters()])
        return against_a_judge(model, images, labels, generator, companions)

    for _ in range(2):
        run(remember, partial(unet, filters=1), companions=judge, epochs=1, batch_size=25)
        fresh = fresh or weights[0]

    first, second, validation, again = weights[0], weights[1], weights[2], weights[3]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(second, validation, strict=True))


def test_a_run_killed_after_its_last_epoch_trains_no_further():
    kept = []
    with pytest.raises(Killed):
        run(keep=kill_after(3, kept))

    resumed = run(lambda *_: pytest.fail("trained on"), resume=unpack(kept[-1]))

    assert encode(resumed) == encode(run())


def test_progress_counts_the_batches():
    seen = []

    run(epochs=2, batch_size=20, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(step, 6) for step in range(1, 7)]


def test_divergence_names_epoch_and_batch():
    calls = []

    def diverging(model, images, labels, generator):
        calls.append(model.training)
        return clean(model, images, labels, generator) * (torch.nan if sum(calls) == 9 else 1.0)

    with pytest.raises(FloatingPointError, match=r"loss is nan in epoch 2, batch 2; learning_rate is 0.25"):
        run(diverging, learning_rate=0.25)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(1)
    expected = torch.rand(2)

    torch.manual_seed(1)
    run(architecture=partial(maxout, units=4, pieces=2), epochs=1)

    assert torch.equal(torch.rand(2), expected)


def test_outliers_come_in_batches_of_their_own_from_all_sets():
    seen = []

    def watching(model, images, labels, generator, outliers, outlier_generator):
        if model.training:
            seen.append(
                (len(outliers), len(outlier_generator), {tuple(image.flatten().tolist()) for image in outliers})
            )
        return clean(model, images, labels, generator)

    others = [OUTLIERS.take(np.arange(10)), OUTLIERS.take(np.arange(10, 30))]
    run(watching, outliers=others, epochs=1, batch_size=10, outlier_batch_size=12)

    assert [count[:2] for count in seen] == [(12, 12)] * 5
    first_three = seen[0][2] | seen[1][2] | seen[2][2]
    assert len(seen[0][2]) == 12 and len(first_three) == 30  # none twice before each was there once


def test_outliers_come_in_another_order_in_every_epoch_and_in_one_order_in_validation():
    seen = {True: [], False: []}

    def watching(model, images, labels, generator, outliers):
        seen[model.training].append(outliers)
        return clean(model, images, labels, generator)

    run(watching, outliers=[OUTLIERS], epochs=2, batch_size=50, outlier_batch_size=30)

    given = torch.tensor(OUTLIERS.images)
    first, second = seen[True]
    assert not torch.equal(first, given) and not torch.equal(first, second)
    assert all(torch.equal(outliers, given) for outliers in seen[False])


def test_outliers_that_share_an_id_across_sets_draw_apart():
    drawn = []

    def watching(model, images, labels, generator, outliers, outlier_generator):
        drawn.append(outlier_generator.uniform(()))
        return clean(model, images, labels, generator)

    run(watching, outliers=[OUTLIERS, OUTLIERS], epochs=1, outlier_batch_size=60)

    assert len(drawn[0].unique()) == 60


def test_outlier_exposed_training_flattens_the_outliers():
    plain = run(epochs=15, learning_rate=0.02)
    exposed = run(partial(outlier_exposed, eps=0.05), outliers=[noise_set()], epochs=15, learning_rate=0.02)

    images = torch.tensor(noise_set().images)
    sure, unsure = (checkpoints.load(SMALL, one)(images).softmax(1).amax(1).mean().item() for one in (plain, exposed))

    assert unsure < sure - 0.1


def noise_set():
    images = np.random.default_rng(5).random((40, 1, 2, 2)).astype(np.float32)
    return ExampleSet(images, np.full(40, -1), np.arange(40), "noise")


@pytest.mark.parametrize(
    ("objective", "given", "message"),
    [
        (outlier_exposed, {}, "needs outliers, and none are given"),
        (clean, {"outliers": [OUTLIERS]}, "outliers are given, and the objective has no use"),
        (partial(translation, attack=fgsm), {}, "needs classifier"),
        (clean, {"classifier": torch.nn.Flatten()}, "classifier are given"),
    ],
)
def test_inputs_that_do_not_fit_the_objective_are_refused(objective, given, message):
    with pytest.raises(ContractError, match=message):
        run(objective, **given)


def test_outliers_of_another_shape_are_refused():
    wide = ExampleSet(np.zeros((3, 1, 2, 5), np.float32), np.zeros(3, np.int64), np.arange(3), "wide")

    with pytest.raises(ContractError, match="outliers wide"):
        run(outlier_exposed, outliers=[wide])


def test_a_validation_set_of_another_shape_is_refused():
    wide = ExampleSet(np.zeros((3, 1, 2, 5), np.float32), np.zeros(3, np.int64), np.arange(3), "wide")

    with pytest.raises(ContractError, match="validation"):
        run(held_out=wide)


def test_a_classifier_needs_labels_that_are_classes():
    with pytest.raises(ContractError, match="got label -1"):
        run(data=noise_set())


def test_a_translator_sees_pixels_and_has_no_classes():
    checkpoint = run(denoising, partial(unet, filters=2), epochs=1)

    assert (checkpoint.classes, checkpoint.mean, checkpoint.std) == (0, (0.0,), (1.0,))
    assert sorted(checkpoint.history) == ["train_loss", "validation_loss"]


@pytest.fixture(scope="module")
def digits():
    bunch = load_digits()
    images = functional.interpolate(torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16, size=(28, 28))
    order = np.random.default_rng(0).permutation(len(images))
    whole = ExampleSet(images.numpy(), bunch.target.astype(np.int64), np.arange(len(images)), "digits")
    return whole.take(order[:809]), whole.take(order[809:989]), whole.take(order[-360:])


def test_the_small_cnn_reads_digits(digits):
    training, validation, test = digits

    checkpoint = run(clean, small_cnn, training, validation, epochs=10, batch_size=64, learning_rate=0.002)

    predictions = checkpoints.load(small_cnn, checkpoint)(torch.tensor(test.images)).argmax(1).numpy()
    assert (predictions == test.labels).mean() > 0.95


def test_the_unet_removes_more_noise_than_the_identity(digits):
    training, validation, test = digits
    architecture = partial(unet, filters=4)

    checkpoint = run(
        partial(denoising, eps=0.3), architecture, training, validation, epochs=3, batch_size=32, learning_rate=0.01
    )

    images = torch.tensor(test.images)
    noisy = (images + 0.3 * (2 * torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) - 1)).clamp(0, 1)
    left = (checkpoints.load(architecture, checkpoint)(noisy) - images).abs().mean().item()
    assert left < 0.8 * (noisy - images).abs().mean().item()


def halves(model, images, labels, generator):
    """Move every second image to the other side of black."""
    return torch.where(torch.arange(len(images))[:, None, None, None] % 2 == 0, images, 1 - images)


def test_accuracy_is_measured_after_each_epoch_on_the_first_validation_images():
    checkpoint = run(
        epochs=20, learning_rate=0.02, attacks={"none": lambda *given: given[1], "halves": halves}, watched_images=10
    )

    assert checkpoint.history["watched_accuracy"][-1] == 1
    assert checkpoint.history["none_accuracy"].tolist() == checkpoint.history["watched_accuracy"].tolist()
    assert checkpoint.history["halves_accuracy"][-1] < 0.8
    assert all(len(curve) == 20 for curve in checkpoint.history.values())
    assert checkpoint.notes["watched_images"] == 10


def test_each_accuracy_is_that_of_the_weights_of_its_epoch():
    last = run(epochs=2, attacks={"step": fgsm}, schedule="constant")
    first = run(epochs=1, attacks={"step": fgsm}, schedule="constant")
    model = checkpoints.load(SMALL, last)
    images, labels = torch.tensor(VALIDATION.images), torch.tensor(VALIDATION.labels)
    attacked = fgsm(model, images, labels, None)

    assert last.history["step_accuracy"][:1].tolist() == first.history["step_accuracy"].tolist()
    assert last.history["step_accuracy"][-1] == int((model(attacked).argmax(1) == labels).sum()) / len(labels)


def test_to_watch_accuracy_changes_no_weight_and_no_other_curve():
    def drawn(model, images, labels, generator):
        torch.rand(3)
        return (images + generator.uniform(images.shape[1:], images.dtype)).clamp(0, 1)

    architecture = partial(maxout, units=4, pieces=2)
    plain, watched = (
        run(partial(adversarial, attack=fgsm), architecture, attacks=each) for each in ({}, {"drawn": drawn})
    )

    assert pack(plain.weights) == pack(watched.weights)
    assert {name: watched.history[name].tolist() for name in plain.history} == {
        name: curve.tolist() for name, curve in plain.history.items()
    }
    assert "watched_images" not in plain.notes


@pytest.mark.parametrize("settings", [{"watched_images": 0}, {"attacks": {}}])
def test_without_images_or_attacks_nothing_is_watched(settings):
    assert run(**{"attacks": {"step": fgsm}} | settings).history.keys() == {
        "train_loss",
        "validation_loss",
        "validation_accuracy",
    }


def test_a_killed_run_goes_on_with_its_curves():
    kept = []
    whole = run(attacks={"step": fgsm}, keep=kept.append)

    again = run(attacks={"step": fgsm}, resume=kept[0])

    assert again.history["step_accuracy"].tolist() == whole.history["step_accuracy"].tolist()


def test_a_run_that_was_resumed_with_channels_last_gives_equal_bytes():
    architecture = precision.architecture(convolutional, {"memory_format": "channels_last"})
    kept = []
    with pytest.raises(Killed):
        run(architecture=architecture, keep=kill_after(1, kept), optimizer="adam")

    resumed = run(architecture=architecture, resume=unpack(kept[-1]), optimizer="adam")

    assert encode(resumed) == encode(run(architecture=architecture, optimizer="adam"))


def convolutional(input_shape, classes):
    return nn.Sequential(
        nn.Conv2d(1, 4, 2, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 2), nn.Flatten(), nn.Linear(24, classes)
    )


@pytest.mark.parametrize(("count", "sizes"), [(17, [8, 9]), (16, [8, 8]), (18, [8, 8, 2]), (9, [9]), (1, [1])])
def test_a_last_image_that_is_alone_joins_the_batch_before_it(count, sizes):
    seen = []

    def objective(model, images, labels, generator):
        seen.append(len(images))
        return clean(model, images, labels, generator)

    run(objective, data=blobs(count), epochs=1)

    assert [size for size in seen if size][: len(sizes)] == sizes
