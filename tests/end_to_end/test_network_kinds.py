"""Ten kinds of networks, as a user hands them over: the accuracy of an independent attack, or a refusal that says why."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import VisionTransformer

from touchstone.assay import probe, program_export, user_models
from touchstone.assay.class_order import Numbering
from touchstone.attacks.attack_suite import attack_suite
from touchstone.numerics.tensors import RandomStreams, with_normalisation

EPS, SIDE, COUNT = 0.06, 10, 200


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def pictures(classes=3, channels=3):
    """Noise in which a bright pixel, at a place of its own, is the class."""
    labels = torch.arange(COUNT) % classes
    images = 0.35 * torch.rand(COUNT, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    images.flatten(1)[torch.arange(COUNT), labels] += 0.5
    return images, labels


def lead_of_the_label(logits, labels):
    rival = logits.masked_fill(functional.one_hot(labels, logits.shape[1]).bool(), -torch.inf).amax(1)
    return logits.gather(1, labels[:, None])[:, 0] - rival


def probability_of_the_label(logits, labels):
    return -functional.cross_entropy(logits, labels, reduction="none")


def pgd(model, images, labels, steps=60, lowered=lead_of_the_label):
    """Take signed steps from the clean image, by default to lower the margin, and keep the last success."""
    best, moved = images.clone(), images.clone()
    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        logits = model(moved)
        best = torch.where((lead_of_the_label(logits, labels) < 0)[:, None, None, None], moved.detach(), best)
        (gradient,) = torch.autograd.grad(lowered(logits, labels).sum(), moved)
        moved = (images + (moved - EPS / 8 * gradient.sign() - images).clamp(-EPS, EPS)).clamp(0, 1)
    return best


def trained(network, images, labels, scale=1.0, adversarial=False):
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(25 if adversarial else 40):
        batch = pgd(network.eval(), images, labels, 3) if adversarial else images
        loss = functional.cross_entropy(network.train()(batch * scale), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def cnn(channels=3, classes=3, *more):
    head = nn.Linear(8 * SIDE**2, classes)
    return nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), *more, nn.ReLU(), nn.Flatten(), head)


def vit():
    return VisionTransformer(SIDE, 5, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3)


def quantised(network):
    return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)


def numbering(classes):
    names = tuple(f"c{number:03}" for number in range(classes))
    return Numbering(place="pictures", names=names, empty=(), stated=True, arrays=True)


def assayed(network, images, labels, folder, std=1.0):
    """Clean accuracy and accuracy under the worst attack, as an assay measures them, and the attacked images."""
    channels, classes = images.shape[1], int(labels.max()) + 1
    shape = (channels, SIDE, SIDE)
    model = program_export.put_into_file(user_models.UserModel(network=network), shape, folder / "net.yaml")
    program = model.program(shape)
    mean, stds = [0.0] * channels, [std] * channels
    probe.probe(program, mean, stds, images, labels, numbering(classes))
    normalised = with_normalisation(program, mean, stds).eval()
    streams = RandomStreams(0, "attack", torch.arange(len(images)))
    attacked = attack_suite(normalised, images, labels, streams, eps=EPS, steps=20, restarts=2, queries=50)
    assert float((attacked - images).abs().max()) <= EPS + 1e-6
    with torch.no_grad():
        return *(float((normalised(x).argmax(1) == labels).float().mean()) for x in (images, attacked)), attacked


MEASURED = {
    "plain": (cnn, {}),
    "adversarially trained": (cnn, {"adversarial": True}),
    "pixels of 0 to 255": (cnn, {"scale": 255.0}),
    "gray": (lambda: cnn(1), {"channels": 1}),
    "two classes": (lambda: cnn(3, 2), {"classes": 2}),
    "200 classes": (lambda: cnn(3, 200), {"classes": 200}),
    "vision transformer": (vit, {}),
}


@pytest.mark.parametrize("kind", MEASURED)
def test_the_accuracy_is_that_of_an_independent_attack_or_lower(tmp_path, kind):
    make, facts = MEASURED[kind]
    scale = facts.get("scale", 1.0)
    images, labels = pictures(facts.get("classes", 3), facts.get("channels", 3))
    network = trained(make(), images, labels, scale, facts.get("adversarial", False))
    for parameter in network.parameters():
        parameter.requires_grad_(False)

    clean, worst, attacked = assayed(network, images, labels, tmp_path, 1 / scale)

    def right(*sets):
        with torch.no_grad():
            hits = [network(each * scale).argmax(1) == labels for each in sets]
        return float(torch.stack(hits).all(0).float().mean())

    both = (lead_of_the_label, probability_of_the_label)
    own = right(*(pgd(lambda batch: network(batch * scale), images, labels, lowered=each) for each in both))
    assert clean == right(images) > 0.8
    assert worst == pytest.approx(right(attacked), abs=1 / len(labels))  # the program is this network; one may be a tie
    assert worst <= own + 1e-6


def test_no_more_examples_of_a_vision_transformer_survive_than_under_targeted_pgd():
    torch.manual_seed(6)
    images, labels = pictures()
    network = trained(vit(), images, labels)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    streams = RandomStreams(0, "attack", torch.arange(COUNT))

    attacked = attack_suite(network, images, labels, streams, eps=EPS, restarts=3, queries=50)

    def lead_over(target):
        return lambda logits, own: logits.gather(1, own[:, None])[:, 0] - logits[:, target]

    def survivors(*sets):
        with torch.no_grad():
            return int(torch.stack([network(each).argmax(1) == labels for each in sets]).all(0).sum())

    towards = [pgd(network, images, labels, 100, lead_over(target)) for target in range(3)]
    assert 0 < survivors(attacked) <= survivors(*towards) + 1


def exported(network, folder):
    program = torch.export.export(
        network, (torch.rand(4, 3, SIDE, SIDE),), dynamic_shapes=({0: torch.export.Dim("n", min=2)},)
    )
    torch.export.save(program, folder / "net.pt2")
    return user_models.open_model(str(folder / "net.pt2"), trust_code=True)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Dropout(0.5), "returns other logits each time: dropout .* is on.* Call model.eval"),
        (nn.BatchNorm2d(8), "changes its own state when it runs, as in training. Call model.eval"),
    ],
    ids=["dropout left on", "batch norm in train mode"],
)
def test_a_network_in_train_mode_is_refused(tmp_path, layer, expected):
    images, labels = pictures()
    network = trained(cnn(3, 3, layer), images, labels).train()

    with pytest.raises(ValueError, match=expected):
        program = exported(network, tmp_path).program((3, SIDE, SIDE))
        probe.probe(program, [0.0] * 3, [1.0] * 3, images, labels, numbering(3))


def test_a_program_that_normalises_by_the_batch_is_refused(tmp_path):
    network = cnn(3, 3, nn.BatchNorm2d(8, track_running_stats=False)).eval()

    with pytest.raises(ValueError, match="batch norm without running statistics, so an image's answer depends on"):
        exported(network, tmp_path).program((3, SIDE, SIDE))


def test_a_quantised_network_is_refused(tmp_path):
    images, labels = pictures()
    network = quantised(trained(cnn(), images, labels))

    with pytest.raises(ValueError, match="the network is quantised, and integer arithmetic is not differentiable"):
        assayed(network, images, labels, tmp_path)
