"""Race: squared gradient norms of every parameter tensor, per example, by our function and by others.

    python benchmarks/gradient_features.py [--rounds 7] [--cnn-batch 256] [--resnet-batch 64] [--threads 1] [--skip loop]

All contestants get the same network, images, labels and loss (cross-entropy), in eval mode. Before any time is measured,
each result is checked against float64 gradients of one example at a time, on the first images of the batch. Rounds are
interleaved, so that other load slows all alike; medians count. Peak memory is measured in a separate process. A
contestant that fails or is wrong is named with the reason. Writes gradient_features.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import racing
from racing import Goal, Results
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics.gradient_norms import gradient_norms, parameter_names

CHECKED = 8  # images whose float64 gradients are taken one by one
TOLERANCE = 1e-4  # relative, float32 against float64
Norms = dict[str, Tensor]
Contestant = Callable[[nn.Module, Tensor, Tensor], Norms]


class Block(nn.Module):
    """conv, norm, relu, conv, norm, and the input added: every layer a module of its own, as BackPACK wants it."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(channels, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters)
        self.second, self.second_norm = nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters)
        self.first_relu, self.second_relu = nn.ReLU(), nn.ReLU()
        same = stride == 1 and channels == filters
        shortcut = [] if same else [nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, filters, H / stride, W / stride)."""
        inner = self.first_relu(self.first_norm(self.first(images)))
        activated: Tensor = self.second_relu(self.second_norm(self.second(inner)) + self.shortcut(images))
        return activated


def resnet18() -> nn.Module:
    """ResNet-18 for 3x32x32: a 3x3 stem and no pooling before the stages."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for filters, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(width, filters, stride), Block(filters, filters, 1)]
        width = filters
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    for module in network.modules():  # as after training: statistics that are not 0 and 1
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


class Attention(nn.Module):
    """Patches of 7x7, layer norm, self-attention, and one linear layer that is used twice: shared weights."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 7, 7)
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 4, batch_first=True)
        self.shared, self.head = nn.Linear(width, width), nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 10)."""
        tokens = self.norm(self.patches(images).flatten(2).mT)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        logits: Tensor = self.head(self.shared(self.shared(tokens).relu()).mean(1))
        return logits


def plain(model: nn.Module, images: Tensor, labels: Tensor) -> Norms:
    """One forward and backward pass of the summed loss: what all others are measured against."""
    model.zero_grad(set_to_none=True)
    functional.cross_entropy(model(images), labels, reduction="sum").backward()
    return {}


def touchstone(model: nn.Module, images: Tensor, labels: Tensor) -> Norms:
    """Return what our public function gives."""
    norms = gradient_norms(model, images, lambda logits: functional.cross_entropy(logits, labels, reduction="none"))
    return dict(zip(parameter_names(model), norms.unbind(1), strict=True))


def loop(model: nn.Module, images: Tensor, labels: Tensor) -> Norms:
    """Return the norms from one backward pass per example."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    rows = []
    for row in range(len(images)):
        loss = functional.cross_entropy(model(images[row : row + 1]), labels[row : row + 1])
        rows.append(torch.stack([g.square().sum() for g in torch.autograd.grad(loss, parameters)]))
    return dict(zip(names, torch.stack(rows).unbind(1), strict=True))


def vmapped(chunk: int | None) -> Contestant:
    """Return torch.func: a vectorised map of the gradient, over `chunk` examples at once."""

    def run(model: nn.Module, images: Tensor, labels: Tensor) -> Norms:
        parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
        buffers = dict(model.named_buffers())

        def one(image: Tensor, label: Tensor) -> Norms:
            def loss(values: Norms) -> Tensor:
                logits = torch.func.functional_call(model, (values, buffers), (image[None],))
                return functional.cross_entropy(logits, label[None])

            return {name: gradient.square().sum() for name, gradient in torch.func.grad(loss)(parameters).items()}

        results: Norms = torch.func.vmap(one, chunk_size=chunk)(images, labels)
        return results

    return run


def backpack(model: nn.Module) -> Contestant:
    """Return BackPACK's extension for exactly this, on a copy of the network."""
    from backpack import backpack as recording
    from backpack import extend
    from backpack.extensions import BatchL2Grad

    own = extend(copy.deepcopy(model), use_converter=not isinstance(model, nn.Sequential) or _has_blocks(model))
    own.eval()
    loss = extend(nn.CrossEntropyLoss(reduction="sum"))
    names = parameter_names(model)

    def run(_: nn.Module, images: Tensor, labels: Tensor) -> Norms:
        own.zero_grad(set_to_none=True)
        with recording(BatchL2Grad()):
            loss(own(images), labels).backward()
        return {
            name: parameter.batch_l2.detach()
            for name, parameter in zip(names, own.parameters(), strict=True)
            if hasattr(parameter, "batch_l2")
        }

    return run


def _has_blocks(model: nn.Module) -> bool:
    return any(isinstance(module, Block) for module in model.modules())


def opacus(model: nn.Module) -> Contestant:
    """Return Opacus' per-example gradients, squared and summed, on a copy of the network."""
    from opacus import GradSampleModule

    own = GradSampleModule(copy.deepcopy(model), strict=False, loss_reduction="sum")
    own.train()  # it ignores modules in eval mode
    for module in own.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()

    def run(_: nn.Module, images: Tensor, labels: Tensor) -> Norms:
        own.zero_grad(set_to_none=True)
        functional.cross_entropy(own(images), labels, reduction="sum").backward()
        return {
            name.removeprefix("_module."): parameter.grad_sample.flatten(1).square().sum(1)
            for name, parameter in own.named_parameters()
            if getattr(parameter, "grad_sample", None) is not None
        }

    return run


MAKERS: dict[str, Callable[[nn.Module], Contestant]] = {
    "plain forward + backward": lambda _: plain,
    "touchstone.numerics.gradient_norms": lambda _: touchstone,
    "BackPACK BatchL2Grad": backpack,
    "Opacus grad_sample": opacus,
    "torch.func vmap(grad)": lambda _: vmapped(None),
    "torch.func vmap(grad), chunks of 8": lambda _: vmapped(8),
    "loop": lambda _: loop,
}


def worst_error(results: Norms, expected: Norms) -> float:
    """Return the greatest relative difference over the tensors that were found, on the images that were checked."""
    return max(
        float(((results[name][: len(values)].double() - values).abs() / values.abs().clamp_min(1e-12)).max())
        for name, values in expected.items()
        if name in results
    )


def race(
    title: str, model: nn.Module, images: Tensor, rounds: int, skip: list[str], *, memory: bool = True
) -> dict[str, Any]:
    """Return times and memory of all contestants on one network, and why any did not run."""
    model.eval()
    labels = torch.arange(len(images)) % 10
    expected = loop(copy.deepcopy(model).double(), images[:CHECKED].double(), labels[:CHECKED])
    runners: dict[str, Callable[[], Norms]] = {}
    lines: dict[str, dict[str, Any]] = {}
    for name, maker in MAKERS.items():
        line: dict[str, Any] = {
            "contestant": name,
            "seconds": None,
            "error": None,
            "missing": None,
            "why": "",
            "peak_bytes": None,
        }
        lines[name] = line
        if any(word in name for word in skip):
            line["why"] = "left out by --skip"
            continue
        try:
            run = maker(model)
            results = run(model, images, labels)
        except (RuntimeError, NotImplementedError, ValueError, AttributeError, TypeError, IndexError) as error:
            line["why"] = f"refused: {type(error).__name__}: {str(error).splitlines()[0][:120]}"
            continue
        if name != "plain forward + backward":
            line["missing"] = sum(parameter not in results for parameter in expected)
            line["error"] = worst_error(results, expected) if results else None
            if not results or line["error"] > TOLERANCE:
                line["why"] = "finds nothing" if not results else f"wrong: relative error {line['error']:.1e}"
                continue
        runners[name] = lambda run=run: run(model, images, labels)  # type: ignore[misc]
    for name, taken in racing.interleaved(runners, rounds).items():
        lines[name] |= taken
    if memory:
        for name in runners:
            lines[name]["peak_bytes"] = racing.elsewhere(peak, network=title, contestant=name, batch=len(images))
    return {"network": title, "batch": len(images), "rounds": rounds, "lines": list(lines.values())}


NETWORKS: dict[str, Callable[[int], tuple[nn.Module, Tensor]]] = {
    "small CNN": lambda batch: (small_cnn((1, 28, 28), 10), torch.rand(batch, 1, 28, 28)),
    "ResNet-18": lambda batch: (resnet18(), torch.rand(batch, 3, 32, 32)),
    "attention": lambda batch: (Attention(), torch.rand(batch, 1, 28, 28)),
}
SLOWEST = {"small CNN": 1.25, "ResNet-18": 0.95, "attention": 2.0}  # goals, in units of a plain pass
LARGEST = 1.3


def peak(network: str, contestant: str, batch: int, parts: int = 1) -> int:
    """Return the bytes that one contestant needs, inputs and network apart; in this process, so it should be a new one.

    parts: how many the batch is passed in, one after the other.
    """
    torch.manual_seed(0)
    model, images = NETWORKS[network](batch)
    run, labels = MAKERS[contestant](model.eval()), torch.arange(batch) % 10
    run(model, images[:1], labels[:1])
    return racing.peak(lambda: in_parts(run, model, images, labels, parts))


def in_parts(run: Contestant, model: nn.Module, images: Tensor, labels: Tensor, parts: int) -> None:
    """Pass a batch in parts, one after the other."""
    for some, own in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        run(model, some, own)


def goals(results: Results) -> list[Goal]:
    """Return what is asked of our function on one network, in units of a plain pass."""
    lines = {line["contestant"]: line for line in results["lines"]}
    base, mine = lines["plain forward + backward"], lines["touchstone.numerics.gradient_norms"]
    racing.require(
        mine["seconds"] is not None and not mine["missing"], f"{results['network']}: {mine['why'] or 'tensors missing'}"
    )
    name, required = results["network"], []
    if name in SLOWEST:
        required += [Goal(f"{name}: time, in units of a plain pass", mine["seconds"] / base["seconds"], SLOWEST[name])]
    if mine["peak_bytes"] is not None:
        required += [
            Goal(f"{name}: peak memory, in units of a plain pass", mine["peak_bytes"] / base["peak_bytes"], LARGEST)
        ]
    return required


def measured(batches: dict[str, int], rounds: int, skip: list[str], *, memory: bool = True) -> Results:
    """Return the races on all networks that have a batch; NotEqual where our own norms are wrong."""
    torch.manual_seed(0)
    races = [
        race(name, *NETWORKS[name](batch), rounds, skip, memory=memory) for name, batch in batches.items() if batch
    ]
    return {
        "command": racing.command(),
        "machine": racing.machine("backpack-for-pytorch", "opacus"),
        "races": races,
        "goals": [goal.as_json() for results in races for goal in goals(results)],
    }


def page(results: Results) -> str:
    """Return the races as Markdown."""
    parts = []
    columns = (
        "contestant",
        "seconds: median (least to greatest)",
        "x",
        "peak MB",
        "greatest error",
        "tensors missing",
        "",
    )
    for one in results["races"]:
        base = next(line["seconds"] for line in one["lines"] if line["contestant"].startswith("plain"))
        rows = [
            (line["contestant"],
             "–" if line["seconds"] is None else racing.shown(line),
             "–" if line["seconds"] is None else f"{line['seconds'] / base:.2f}",
             "–" if line["peak_bytes"] is None else f"{line['peak_bytes'] / 1e6:.0f}",
             "–" if line["error"] is None else f"{line['error']:.0e}",
             "–" if line["missing"] is None else line["missing"], line["why"])
            for line in one["lines"]
        ]  # fmt: skip
        parts += [f"## {one['network']}, batch {one['batch']}, {one['rounds']} rounds", racing.table(columns, rows)]
    what = (
        "Squared gradient norms of every parameter tensor, per example. `x` is in units of one plain forward and backward"
        " pass. Errors are relative, against float64 gradients of one example at a time."
    )
    return racing.page("Gradient norms per example: ours and others'", what, results, *parts)


def main() -> None:
    """Run the races and write their tables."""
    parser = racing.parser(__doc__, rounds=7)
    parser.add_argument("--cnn-batch", type=int, default=256)
    parser.add_argument("--resnet-batch", type=int, default=64, help="0 leaves ResNet-18 out")
    parser.add_argument("--attention-batch", type=int, default=64, help="0 leaves it out")
    parser.add_argument("--skip", nargs="*", default=[], help="words in the names of contestants to leave out")
    options = parser.parse_args()
    racing.begin(options.threads)
    sizes = {"small CNN": options.cnn_batch, "ResNet-18": options.resnet_batch, "attention": options.attention_batch}
    results = measured(sizes, options.rounds, options.skip)
    racing.write(options.out, "gradient_features", results, page(results))


if __name__ == "__main__":
    main()
