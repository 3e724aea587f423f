"""Cost of `evaluate` on networks of torchvision's size: processor seconds and passes per image, and the peak of memory.

    python benchmarks/large_networks.py [--images 4] [--surviving 1] [--threads 1]

ResNet-50 and ViT-B/16 with random weights and 1,000 classes, on crops of 224 x 224 pixels of scikit-learn's and
scikit-image's photographs, at eps 4/255, labelled with the network's own class. All images of such a network fall at once.
So each network also runs with a lead of 20 logits for the first class: then the images survive, and every attack runs to its
end. AutoAttack (`pyautoattack`, standard) attacks the same images, but not those that survive in the ViT: that takes an hour
an image. Each line is measured in a process of its own, as memory that was taken before does not count. Processor seconds
hardly depend on what else the machine does.
Writes large_networks.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import attack_strength
import racing
from racing import Results, Rows
from touchstone.api.robust_accuracy import evaluate
from touchstone.attacks.adversary.effort import counted

NETWORKS = ("resnet50", "vit_b_16")
EPS, SIDE, CLASSES = 4 / 255, 224, 1000
LEAD = {"falls": 0.0, "survives": 20.0}  # in logits, of the first class
OURS, THEIRS = "evaluate", attack_strength.THEIRS
TOO_LONG = ("vit_b_16", "survives", THEIRS)


class Leading(nn.Module):
    """A network whose logits on some images spread by 1, with a lead for the first class."""

    def __init__(self, network: nn.Module, lead: float, images: Tensor) -> None:
        super().__init__()
        self.network, self.lead = network.eval(), lead
        with torch.no_grad():
            self.spread = float(network(2 * images - 1).std())

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(2 * images - 1) / self.spread
        return logits + self.lead * (torch.arange(logits.shape[1]) == 0)


def photographs(count: int) -> Tensor:
    """Return crops of photographs, (N, 3, 224, 224) in [0, 1]."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    scenes = [*load_sample_images().images, data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    crops = [scene[top : top + SIDE, left : left + SIDE] for scene in scenes for top, left in ((20, 60), (70, 200))]
    chosen = np.stack([crops[place % len(crops)] for place in range(count)])
    return torch.from_numpy(chosen).permute(0, 3, 1, 2).float() / 255


def measured(network: str, kind: str, suite: str, images: int) -> Results:
    """Return the processor seconds, the passes and the peak of memory of one suite on some images."""
    import torchvision

    torch.manual_seed(0)
    plain = getattr(torchvision.models, network)()
    if network == "vit_b_16":
        nn.init.trunc_normal_(plain.heads.head.weight, std=0.02)  # torchvision starts with zeros, which give no class
    points = photographs(images)
    model = Leading(plain, LEAD[kind], points).eval()
    with torch.no_grad():
        labels = model(points).argmax(1)
    left: list[float] = []

    def attack() -> None:
        if suite == OURS:
            left.append(
                evaluate(model, points, labels, eps=EPS, batch_size=images, progress=False).robust_accuracy.value
            )
        else:
            rows = Rows(points, labels, torch.arange(images))
            with torch.no_grad():
                fooled = model(attack_strength.theirs(model, rows, EPS, "linf")).argmax(1) != labels
            left.append(1 - float(fooled.float().mean()))

    with counted(model) as effort:
        seconds: list[float] = []
        memory = racing.peak(lambda: seconds.append(racing.own_seconds(attack)))
    return {
        "network": network, "kind": kind, "suite": suite, "images": images, "left": left[0], "peak": memory,
        "seconds": seconds[0] / images, "passes": (effort.forward + effort.gradient) / images,
    }  # fmt: skip


def page(results: Results) -> str:
    """Return the results as Markdown."""
    rows = [
        (
            line["network"], line["kind"], line["suite"], line["images"], f"{line['left']:.0%}", f"{line['passes']:,.0f}",
            f"{line['seconds']:.1f}", f"{line['peak'] / 2**30:.2f}",
        )
        for line in results["lines"]
    ]  # fmt: skip
    columns = (
        "network",
        "an image that",
        "by",
        "images",
        "left right",
        "passes an image",
        "seconds an image",
        "GiB at most",
    )
    what = "What `evaluate` costs on ResNet-50 and ViT-B/16 at 224 x 224 pixels and 1,000 classes, beside AutoAttack."
    words = (
        "eps 4/255; random weights; all images in one batch; processor seconds on one core. An image that survives (the"
        f" first class leads by {LEAD['survives']:g} logits) takes every attack to its end. AutoAttack would take an hour"
        " for it in the ViT, and was left out there. Memory is what the process takes above the network and its images."
    )
    return racing.page("Large networks", what, results, words, racing.table(columns, rows))


def main() -> None:
    """Measure, and write the tables."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--images", type=int, default=4, help="of those that fall")
    parser.add_argument("--surviving", type=int, default=1, help="images that survive")
    options = parser.parse_args()
    racing.begin(options.threads)
    lines: list[Any] = []
    for line in product(NETWORKS, LEAD, (OURS, THEIRS)):
        if line != TOO_LONG:
            network, kind, suite = line
            images = options.images if kind == "falls" else options.surviving
            lines.append(racing.elsewhere(measured, network=network, kind=kind, suite=suite, images=images))
            print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
    machine = racing.machine("torchvision", "pyautoattack")
    results = {"command": racing.command(), "machine": machine, "lines": lines, "goals": []}
    racing.write(options.out, "large_networks", results, page(results))


if __name__ == "__main__":
    main()
