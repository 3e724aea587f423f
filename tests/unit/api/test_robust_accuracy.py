"""Evaluating a model of one's own: against closed forms, and against models that cheat."""

from functools import partial

import pytest
import torch

from touchstone.api.brittle_inputs import brittle_inputs
from touchstone.api.robust_accuracy import evaluate
from touchstone.attacks.apgd import apgd
from touchstone.attacks.random_sign import random_sign

SHAPE = (1, 4, 4)


def test_of_a_linear_model_the_robust_accuracy_is_the_share_of_margins_above_eps():
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(16, 2, generator=generator)
    images = 0.3 + 0.4 * torch.rand(200, *SHAPE, generator=generator)
    labels = torch.randint(2, (200,), generator=generator)
    model = lambda x: (x.flatten(1) - 0.5) @ weights  # noqa: E731
    lead = model(images).gather(1, labels[:, None])[:, 0] - model(images).gather(1, 1 - labels[:, None])[:, 0]
    margins = lead / (weights[:, 0] - weights[:, 1]).abs().sum()

    found = evaluate(model, images, labels, eps=0.03, steps=20, queries=20, batch_size=64)

    assert found.clean_accuracy.value == pytest.approx(float((lead > 0).double().mean()))
    assert found.robust_accuracy.value == pytest.approx(float((margins > 0.03).double().mean()))
    assert found.robust_accuracy.low < found.robust_accuracy.value < found.robust_accuracy.high
    assert (found.attacked - images).abs().max() <= 0.03 + 1e-6


def test_batches_change_nothing_and_the_model_comes_back_as_it_was(world):
    model, (images, labels), _ = world
    model.train()

    whole = evaluate(model, images, labels, eps=0.1, steps=10, queries=20)
    parts = evaluate(model, images, labels, eps=0.1, steps=10, queries=20, batch_size=17)

    assert model.training and all(p.requires_grad and p.grad is not None for p in model.parameters())
    assert whole.robust_accuracy == parts.robust_accuracy and whole.failed_checks == parts.failed_checks == ()
    model.eval()


def test_a_program_of_torch_export_gives_what_its_module_gives(world, recwarn):
    """The program reports train mode, and its `eval()` raises an error."""
    model, (images, labels), _ = world
    program = torch.export.export(model, (images[:4],), dynamic_shapes=({0: torch.export.Dim("n", max=4096)},)).module()

    found, expected = (evaluate(each, images, labels, eps=0.1, steps=10, queries=20) for each in (program, model))
    nearest, own = (brittle_inputs(each, images, eps=0.05) for each in (program, model))

    assert torch.equal(found.attacked, expected.attacked) and nearest == own
    assert not [each for each in recwarn if "train mode" in str(each.message)] and program.training


def test_a_model_that_hides_its_gradients_fails_checks_and_is_still_broken_by_the_black_box(world):
    model, (images, labels), _ = world
    hidden = lambda x: (10 * model((x * 8).round() / 8)).round()  # noqa: E731

    found = evaluate(hidden, images, labels, eps=0.25, steps=2, queries=300)

    checks = " ".join(found.failed_checks)
    assert "left at a large eps" in checks and "a black-box attack does" in checks
    assert found.robust_accuracy.value < found.clean_accuracy.value - 0.1


def test_a_model_whose_loss_never_rises_fails_a_check(world):
    model, (images, labels), _ = world
    blind = lambda x: 0 * model(x) + 2 * torch.eye(model(x).shape[1])[0]  # noqa: E731

    found = evaluate(blind, images, labels, eps=0.25, steps=2, queries=3)

    assert found.robust_accuracy.value == found.clean_accuracy.value > 0.05
    assert "share of inputs whose loss rises" in " ".join(found.failed_checks)


def test_further_attacks_count(world):
    model, (images, labels), _ = world
    hidden = lambda x: (10 * model((x * 8).round() / 8)).round()  # noqa: E731

    def knows_the_network(_, images, labels, generator):
        return apgd(model, images, labels, generator, eps=0.25, steps=20)

    plain = evaluate(hidden, images, labels, eps=0.25, steps=1, restarts=1, queries=1)
    found = evaluate(
        hidden, images, labels, eps=0.25, steps=1, restarts=1, queries=1, attacks=[knows_the_network, random_sign]
    )

    assert found.robust_accuracy.value < plain.robust_accuracy.value
    assert (hidden(found.attacked).argmax(1) == labels).double().mean() == pytest.approx(found.robust_accuracy.value)


@pytest.mark.parametrize(
    ("cheat", "told"),
    [
        (lambda images: (images + 0.5).clamp(max=1), r"attacks\[1\] changed row \d+ by 0.5 .* more than eps 0.02"),
        (lambda images: images + 0.01 * images.sign() + 0.005, r"attacks\[1\] left the pixel range"),
        (lambda images: images * torch.nan, r"attacks\[1\] returned NaN"),
        (lambda images: images[:, :, 1:], r"attacks\[1\] changed the shape"),
        (lambda images: images.flip(0), r"attacks\[1\] changed row \d+ by"),  # the images of other labels
    ],
)
def test_an_attack_that_leaves_its_budget_is_an_error(world, cheat, told):
    model, (images, labels), _ = world
    images = images.clone()
    images[0, 0, 0, 0] = 1.0

    with pytest.raises(ValueError, match=told):
        evaluate(
            model, images, labels, eps=0.02, steps=1, restarts=1, queries=1,
            attacks=[partial(random_sign, eps=0.02), lambda model, images, labels, generator: cheat(images)],
        )  # fmt: skip


def test_an_attack_that_works_in_place_is_held_to_its_budget_and_leaves_the_images(world):
    model, (images, labels), _ = world
    before = images.clone()

    with pytest.raises(ValueError, match=r"attacks\[0\] changed row \d+ by"):
        evaluate(
            model, images, labels, eps=0.02, steps=1, restarts=1, queries=1, attacks=[lambda m, x, *_: x.fill_(0.5)]
        )

    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.rand(20, *SHAPE), torch.zeros(30, dtype=torch.int64), r"labels are torch.int64 \(30,\), expected"),
        (torch.rand(20, *SHAPE), torch.arange(20), r"labels are in \[0, 19\], the model has 3 classes"),
        (torch.rand(20, *SHAPE).half(), torch.arange(20) % 3, r"images are torch.float16, expected floats"),
    ],
)
def test_images_and_labels_are_checked_before_any_attack(images, labels, message):
    def model(x):
        assert len(x) == 1, "an attack has begun"
        return x.flatten(1)[:, :3].float()

    with pytest.raises(ValueError, match=message):
        evaluate(model, images, labels, eps=0.02, steps=1, restarts=1, queries=1, batch_size=10, draws=2)


def test_a_model_that_returns_nan_is_an_error(world):
    _, (images, labels), _ = world
    model = lambda x: torch.where(x[:, :, 0, :3].flatten(1) > 0.75, torch.nan, x[:, :, 0, :3].flatten(1))  # noqa: E731

    with pytest.raises(ValueError, match=r"the model returns NaN or infinity for \d+ of 90 images"):
        evaluate(model, images, labels, eps=0.02, steps=1, restarts=1, queries=1)


@pytest.mark.parametrize(("eps", "rows", "told"), [(8, 90, "share of the pixel range"), (0.1, 0, "no images")])
def test_what_cannot_be_evaluated_is_told(world, eps, rows, told):
    model, (images, labels), _ = world

    with pytest.raises(ValueError, match=told):
        evaluate(model, images[:rows], labels[:rows], eps=eps)


def of_fine_noise(images):
    """Logits of a network without gradients: class 1 for images whose neighbouring pixels differ."""
    noisy = (images.diff(dim=2).abs().mean((1, 2, 3)) > 0.025).float()
    return 2 * torch.stack([1 - noisy, noisy], 1) + 0 * images.flatten(1).sum(1, keepdim=True)


def test_an_image_that_only_a_control_fools_is_not_robust():
    images, labels = torch.full((4, 1, 16, 16), 0.5), torch.zeros(4, dtype=torch.int64)

    found = evaluate(of_fine_noise, images, labels, eps=8 / 255, steps=2, restarts=1, queries=2)

    assert found.clean_accuracy.value == 1 and found.robust_accuracy.value == 0
    assert of_fine_noise(found.attacked).argmax(1).tolist() == [1] * 4
    assert (found.attacked - images).abs().max() <= 8 / 255 + 1e-6


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_logits_may_have_another_dtype_than_the_images(world, dtype):
    model, (images, labels), _ = world

    found = evaluate(lambda points: model(points).to(dtype), images, labels, eps=0.3, steps=5, restarts=2, queries=20)

    assert found.attacked.dtype == images.dtype
    assert found.robust_accuracy.value <= found.clean_accuracy.value - 0.3


@pytest.mark.parametrize(("scale", "attacks", "told"), [(1e5, ["pgd"], True), (1e5, [], False), (1, ["pgd"], False)])
def test_attacks_that_follow_a_cross_entropy_without_a_gradient_are_warned_about(world, recwarn, scale, attacks, told):
    model, (images, labels), _ = world

    found = evaluate(lambda x: scale * model(x), images[:20], labels[:20], eps=0.2, queries=20, attacks=attacks)

    words = [str(one.message) for one in recwarn if "leads by more than 104 on 100% of the images" in str(one.message)]
    assert len(words) == told
    assert found.robust_accuracy.value < found.clean_accuracy.value  # of the suite, which follows margins
