"""An assay from the command to its report, beside an attack that shares no code with touchstone."""

import re

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from touchstone.records import encoding, nouns
from touchstone.report import packing

EPS = 32 / 255
SHARE = r'<data value="([^"]+)" data-row="(\d+)">([^<]+)</data>'


def digits():
    """Handwritten digits as 8-bit images (N, 1, 8, 8) in [0, 1] with their classes, and the rows that nothing is fitted on."""
    found = load_digits()
    levels = np.rint(found.images / 16 * 255).astype(np.uint8)
    return levels, found.target.astype(np.int64), slice(1000, None)


def trained(images, labels):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimiser = torch.optim.Adam(net.parameters(), 0.003)
        for _ in range(20):
            for rows in torch.randperm(len(images)).split(50):
                optimiser.zero_grad()
                functional.cross_entropy(net(images[rows]), labels[rows]).backward()
                optimiser.step()
    return net.eval()


def accuracy_under_pgd(net, images, labels, eps, restarts=5, steps=100):
    """The share that stays right under projected ascent on the lead of the best wrong class, written for this test."""
    right = net(images).argmax(1) == labels
    draws = torch.Generator().manual_seed(1)
    for _ in range(restarts):
        moved = (images + eps * (2 * torch.rand(images.shape, generator=draws) - 1)).clamp(0, 1)
        for step in range(steps):
            moved.requires_grad_()
            logits = net(moved)
            own = logits.gather(1, labels[:, None])[:, 0]
            lead = logits.scatter(1, labels[:, None], -torch.inf).amax(1) - own
            right &= lead.detach() < 0
            (gradient,) = torch.autograd.grad(lead.sum(), moved)
            size = eps / 4 * (1 - step / steps)
            moved = (moved + size * gradient.sign()).clamp(images - eps, images + eps).clamp(0, 1).detach()
        right &= net(moved).argmax(1) == labels
    return float(right.float().mean())


@pytest.fixture(scope="module")
def assayed(made_once):
    """A clone in which a small network was assayed, with what the terminal said in `said.txt`."""

    def fill(project):
        levels, labels, unseen = digits()
        net = trained(torch.from_numpy(levels[:1000, None]).float() / 255, torch.from_numpy(labels[:1000]))
        torch.save(net, project.root / "net.pt")
        count = torch.export.Dim("images", min=1)
        program = torch.export.export(net, (torch.rand(2, 1, 8, 8),), dynamic_shapes=({0: count},))
        torch.export.save(program, project.root / "small.pt2")
        np.savez(project.root / "unseen.npz", images=levels[unseen], labels=labels[unseen])
        command = project.touchstone("assay", "small.pt2", "--data", "unseen.npz", "--eps", "32/255", "--quick")
        (project.root / "said.txt").write_text(project.run(command).stdout)

    return made_once("assayed", fill).root


def accuracies(html):
    """(value, line of the table) of each number that is an accuracy in per cent."""
    return [(float(value), int(line)) for value, line, text in re.findall(SHARE, html) if "%" in text]


def test_first_screen_chapter_and_terminal_have_one_robust_accuracy_and_an_attack_of_another_hand_agrees(assayed):
    page = packing.unpacked((assayed / "reports/assay_small/report.html").read_text()).replace("<wbr>", "")
    first = re.search(r'<section class="system" id="summary">.*?</section>', page, re.DOTALL)[0]
    headline = re.search(r'id="chapter-robustness".*?(<table.*?</table>)', page, re.DOTALL)[1]
    said = (assayed / "said.txt").read_text()
    assert "linf eps 32/255" in first
    (shown,) = re.findall(r"Accuracy under the worst attack, linf eps 32/255: ([\d.]+)\s%", said)
    data = (assayed / "data/assay_small/examples/own_attacked.safetensors").read_bytes()
    attacked = encoding.decode(data, nouns.ExampleSet)
    images, labels = torch.from_numpy(attacked.images), torch.from_numpy(attacked.labels)
    net = torch.load(assayed / "net.pt", weights_only=False)

    ours = accuracies(first)[1]
    expected, at_half = (accuracy_under_pgd(net, images, labels, eps) for eps in (EPS, EPS / 2))

    assert accuracies(headline)[-1] == ours  # value and line of metrics.csv.gz
    assert float(shown) == pytest.approx(100 * ours[0], abs=0.051)
    assert ours[0] == pytest.approx(expected, abs=0.03)
    assert at_half > expected + 0.2  # so that another budget's number would be seen
