"""Attacks of other libraries in `evaluate`: taken, or answered with the line that wraps them."""

import re

import foolbox
import numpy as np
import pytest
import torch
import torchattacks
from torch import nn

import touchstone
from touchstone.api import foreign_attacks
from touchstone.attacks.fgsm import fgsm
from touchstone.numerics.tensors import seeded

torch.set_num_threads(1)
EPS = 8 / 255
IMAGES = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
IMAGES[:, 0, 0, 0] = 0.5
with seeded(0, "init"):
    MODEL = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3)).eval()
LABELS = MODEL(IMAGES).argmax(1)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def evaluate(*attacks, model=MODEL, **given):
    return touchstone.evaluate(
        model, IMAGES, LABELS, eps=EPS, steps=1, restarts=0, queries=0, attacks=attacks, **given
    ).robust_accuracy.value


class Trapped(nn.Module):
    """A network that errs where the first pixel is .51, which only an attack finds that was told."""

    def forward(self, images):
        logits = MODEL(images)
        trapped = ((images[:, :1, 0, 0] - 0.51).abs() < 1e-5).float()
        return logits - 1000 * trapped * nn.functional.one_hot(logits.argmax(1), 3)


TRAPPED = Trapped().eval()


def told(model, images, labels, generator):
    """An attack that was told; it works in place."""
    images[:, 0, 0, 0] = 0.51
    return images


class ProjectedGradientDescent:
    """The signature of ART's attacks: arrays in, an array out."""

    __module__ = "art.attacks.evasion.projected_gradient_descent"

    def generate(self, x, y=None, **kwargs):
        assert isinstance(x, np.ndarray) and isinstance(y, np.ndarray)
        return np.clip(x + EPS * np.sign(x - 0.5), 0, 1).astype(np.float64)


FOREIGN = {
    "torchattacks": torchattacks.PGD(MODEL, eps=EPS),
    "foolbox": foolbox.attacks.LinfPGD(),
    "art": ProjectedGradientDescent(),
}


@pytest.mark.parametrize("library", FOREIGN)
def test_an_attack_of_a_library_is_answered_with_the_line_that_wraps_it_and_that_line_works(library):
    with pytest.raises(
        TypeError, match=re.escape("attacks[0]: an attack is called as attack(model, images, labels, ")
    ) as refused:
        evaluate(FOREIGN[library])
    line = str(refused.value)[str(refused.value).index("lambda ") :]

    wrapped = eval(line, {"torchattacks": torchattacks, "foolbox": foolbox, "attack": FOREIGN[library]})

    assert evaluate(wrapped) <= evaluate()


@pytest.mark.parametrize("model", [MODEL, lambda images: MODEL(images)], ids=["module", "function"])
@pytest.mark.parametrize("given", [{}, {"batch_size": 7}, {"backward": lambda images: MODEL(images)}])
def test_attacks_of_libraries_follow_the_gradient(model, given):
    returned = {"foolbox": [], "torchattacks": []}

    def of_foolbox(model, images, labels, generator):
        seen = foolbox.PyTorchModel(model, bounds=(0, 1))
        changed = foolbox.attacks.LinfFastGradientAttack(random_start=False).run(seen, images, labels, epsilon=EPS)
        returned["foolbox"].append(changed)
        return changed

    def of_torchattacks(model, images, labels, generator):
        changed = torchattacks.FGSM(model, eps=EPS)(images, labels)
        returned["torchattacks"].append(changed)
        return changed

    evaluate(of_foolbox, of_torchattacks, model=model, **given)

    expected = fgsm(MODEL, IMAGES, LABELS, None, eps=EPS)
    for library in returned:
        torch.testing.assert_close(torch.cat(returned[library]), expected)


FORMS = {
    "array": lambda changed: changed.numpy(),
    "double array": lambda changed: changed.numpy().astype(np.float64),
    "not contiguous": lambda changed: np.asfortranarray(changed.numpy()),
    "list of images": list,
    "list of arrays": lambda changed: list(changed.numpy()),
    "tuple with labels": lambda changed: (changed, LABELS),
    "list of one": lambda changed: [changed],
    "of a graph": lambda changed: changed.requires_grad_() * 1,
    "double": lambda changed: changed.double(),
    "parameter": lambda changed: nn.Parameter(changed),
}


@pytest.mark.parametrize("form", FORMS)
def test_attacked_images_are_taken_in_every_form(form):
    assert evaluate(lambda *given: FORMS[form](told(*given)), model=TRAPPED) == 0 < evaluate(model=TRAPPED)


WRONG = {
    "nothing": (lambda changed: None, TypeError, r"attacks\[0\] returned NoneType, expected the attacked images"),
    "foolbox": (lambda changed: (changed, changed, LABELS == 0), TypeError,
                r"attacks\[0\] returned 3 things, of which 2 have the shape of the images, .*foolbox returns them second"),
    "list of budgets": (lambda changed: [changed, changed], TypeError, r"attacks\[0\] returned 2 things, of which 2"),
    "labels": (lambda changed: (LABELS, LABELS), TypeError, r"attacks\[0\] returned 2 things, expected the attacked images"),
    "dict": (lambda changed: {"adv": changed}, TypeError, r"attacks\[0\] returned dict, expected the attacked images"),
    "text": (lambda changed: "done", TypeError, r"attacks\[0\] returned str, expected the attacked images"),
    "fewer": (lambda changed: changed[:3], ValueError, r"attacks\[0\] changed the shape"),
    "255": (lambda changed: changed * 255, ValueError, r"attacks\[0\] left the pixel range"),
    "bytes": (lambda changed: (changed * 255).byte().numpy(), ValueError, r"attacks\[0\] left the pixel range"),
    "nan": (lambda changed: changed.numpy() * np.nan, ValueError, r"attacks\[0\] returned NaN"),
    "objects": (lambda changed: np.array([None]), TypeError, r"attacks\[0\] returned numpy.ndarray, expected the attacked images"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_refused(wrong):
    form, error, words = WRONG[wrong]

    with pytest.raises(error, match=words):
        evaluate(lambda *given: form(told(*given)))


@pytest.mark.parametrize(
    "attack", [lambda images, labels: images, lambda model, images, labels, generator: images.no_such_method()]
)
def test_an_attack_that_fails_is_named_with_how_it_was_called(attack):
    with pytest.raises(
        ValueError, match=r"attacks\[1\] failed, called as attack\(model, images, labels, generator\): .*Error"
    ):
        evaluate(told, attack)


@pytest.mark.parametrize("attacks", [told, touchstone.component("attacks/pgd"), 3, None, "pgd"])
def test_attacks_are_a_list(attacks):
    with pytest.raises(TypeError, match=r"attacks: expected a list of names or functions, got .*: attacks=\[\.\.\.\]"):
        touchstone.evaluate(MODEL, IMAGES, LABELS, attacks=attacks)


@pytest.mark.parametrize("name", ["bim", "attacks/bim"])
def test_an_attack_by_its_name_has_the_eps_of_the_call(name):
    (attack,) = foreign_attacks.checked([name], eps=0.07)

    assert attack.keywords == {"eps": 0.07}
    assert touchstone.evaluate(MODEL, IMAGES, LABELS, eps=EPS, steps=1, restarts=0, queries=0, attacks=[name])


def test_attacks_may_come_from_a_generator():
    found = touchstone.evaluate(
        TRAPPED, IMAGES, LABELS, eps=EPS, steps=1, restarts=0, queries=0, attacks=(attack for attack in [told])
    )

    assert found.robust_accuracy.value == 0


def test_an_attack_that_writes_into_everything_changes_nothing_of_the_callers():
    images, labels = IMAGES.clone(), LABELS.clone()

    def writes(model, images, labels, generator):
        changed = told(model, images.clone(), labels, generator)
        images.zero_()
        labels.fill_(2)
        return changed

    found = touchstone.evaluate(
        TRAPPED, images, labels, eps=EPS, steps=1, restarts=0, queries=0, attacks=[writes, told]
    )

    assert torch.equal(images, IMAGES) and torch.equal(labels, LABELS)
    assert found.robust_accuracy.value == 0


def test_an_attack_finds_torch_as_its_caller_left_it_and_gradients():
    seen = []

    def looks(model, images, labels, generator):
        seen.append((torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return images

    try:
        torch.set_default_dtype(torch.float64)
        with torch.inference_mode():
            evaluate(looks)
    finally:
        torch.set_default_dtype(torch.float32)

    assert seen == [(torch.float64, True, False)]
