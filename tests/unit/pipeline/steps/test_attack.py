import numpy as np
import pytest
import torch
from torch import nn

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.expectation import Expected
from touchstone.pipeline.steps.attack import attack
from touchstone.records.nouns import ContractError, ExampleSet


@pytest.fixture
def examples():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 1, 3, 3)).astype(np.float32) / 255
    return ExampleSet(pixels, np.array([0, 1, 0, 1, -1, 0, 1]), np.arange(7), "here")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 2))


def shifted(model, images, labels, generator):
    return (images + 0.1 * generator.signs(images.shape[1:])).clamp(0, 1)


def attacked(examples, model, perturb=shifted, **changes):
    settings = {"defence": model, "seed": 0, "batch_size": 4, "device": "cpu"} | changes
    return attack(examples, model, perturb=perturb, **settings)


def test_images_are_on_the_grid_within_the_budget_and_the_float_ones_kept(examples, model):
    found = attacked(examples, model)

    assert np.abs(found.images * 255 - np.round(found.images * 255)).max() < 1e-3
    assert np.abs(found.images - examples.images).max() <= 0.1 + 1e-6
    assert np.abs(found.unquantised - examples.images).max() == pytest.approx(0.1, abs=1e-6)
    assert np.array_equal(found.labels, examples.labels)


def test_the_batch_size_changes_nothing(examples, model):
    assert np.array_equal(attacked(examples, model).unquantised, attacked(examples, model, batch_size=2).unquantised)


def test_images_without_a_class_are_attacked_at_what_the_network_says(examples, model):
    seen = []

    def remember(model, images, labels, generator):
        seen.append(labels)
        return images

    attacked(examples, model, perturb=remember)

    with torch.no_grad():
        predicted = model(torch.from_numpy(examples.images)).argmax(1)
    assert torch.cat(seen)[4] == predicted[4]
    assert torch.cat(seen)[0] == 0


def test_an_attack_on_scores_is_told_which_images_have_a_class(examples, model):
    seen = []

    def remember(model, images, in_distribution, generator):
        seen.append(in_distribution)
        return images

    attacked(examples, model, perturb=remember, known="in_distribution")

    assert torch.cat(seen).tolist() == [True, True, True, True, False, True, True]


def test_an_attack_that_changes_the_shape_or_leaves_the_range_is_refused(examples, model):
    with pytest.raises(ContractError, match="changed the shape"):
        attacked(examples, model, perturb=lambda model, images, labels, generator: images[:, :, :2])
    with pytest.raises(ContractError, match="NaN"):
        attacked(examples, model, perturb=lambda model, images, labels, generator: images * float("nan"))


def test_the_notes_say_how_many_passes_an_attack_took_per_image(examples, model):
    def three_looks_and_a_gradient(model, images, labels, generator):
        with torch.no_grad():
            model(images), model(images)
        points = images.clone().requires_grad_()
        with torch.enable_grad():
            torch.autograd.grad(model(points).sum(), points)
        return images

    notes = attacked(examples, model, perturb=three_looks_and_a_gradient, batch_size=3).notes

    assert notes["forward_passes"] == 3
    assert notes["gradient_passes"] == 1


@pytest.mark.parametrize("guarded", [False, True])
def test_passes_through_a_network_that_is_differentiated_instead_count_too(examples, model, guarded):
    stand_in = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    seen = Expected(model, 1, stand_in)
    defence = Guarded(seen, lambda logits: -logits.amax(1), ("logits",), {}, 0.0, 1.0, {}) if guarded else seen

    def two_gradients_and_a_look(defence, images, labels, generator):
        for _ in range(2):
            points = images.clone().requires_grad_()
            with torch.enable_grad():
                torch.autograd.grad(seen(points).sum(), points)
        with torch.no_grad():
            seen(images)
        return images

    notes = attacked(examples, model, perturb=two_gradients_and_a_look, defence=defence).notes

    assert notes["gradient_passes"] == 2
    assert notes["forward_passes"] == 2 * 2 + 1
    assert not stand_in._forward_pre_hooks


def test_counting_leaves_no_hook_behind(examples, model):
    attacked(examples, model)

    assert not model._forward_pre_hooks
