"""`touchstone assay MODEL --data PATH`: measure how robust a model of the user's own is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import click

from touchstone.commands._command_line import FILE, Command, refuse_together, refuse_unused
from touchstone.commands._shared_arguments import cores_option, device_option

RESULTS = ("--json", "--markdown", "--fail-under")


@click.command("assay", cls=Command, options_metavar="--data PATH [OPTIONS]")
@click.argument(
    "model",
    type=FILE,
    help="a .pt2, .onnx or weights file, module:function, a name of torchvision or timm, robustbench:NAME",
)
@click.option(
    "--data", type=FILE, required=True, metavar="PATH", help="a folder per class, .npz, .safetensors, or cifar10"
)
@click.option(
    "--ood", type=FILE, multiple=True, metavar="PATH", help="images of no class; can be repeated (default: generated)"
)
@click.option("--eps", metavar="EPS", help="L-inf budget, of the pixel range (default: the zoo's, or 8/255)")
@click.option("--quick", is_flag=True, help="minutes: 100 images, few steps")
@click.option("--full", is_flag=True, help="up to 1,000 images, many steps")
@click.option("--accuracy-only", is_flag=True, help="under attack, and nothing else: no study, no detectors, no page")
@click.option(
    "--images", type=click.IntRange(min=10), metavar="N",
    help="attack N images (default: up to 300, or those of --quick and --full)",
)  # fmt: skip
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=100, metavar="N",
    help="images at a time; fewer take less memory (default: 100)",
)  # fmt: skip
@click.option("--against", type=FILE, metavar="MODEL", help="a second model: compare both, image by image")
@click.option("--architecture", metavar="M:F", help="module:function; returns the network of the weights")
@click.option("--weights", type=FILE, metavar="FILE", help="of a torchvision or timm network (default: published)")
@click.option("--key", metavar="NAME", help="of the weights, in a file that holds several: ema")
@click.option("--mean", metavar="M,M,M", help="per channel: 0.5,0.5,0.5 (default: the model normalises)")
@click.option("--std", metavar="S,S,S", help="per channel, like --mean")
@click.option("--classes", metavar="A,B,C", help="all classes in the model's order (default: a to z)")
@click.option("--resize", metavar="HxW", help="resize the images (default: never)")
@click.option("--gray", is_flag=True, help="read the images as gray")
@click.option("--rgb", is_flag=True, help="read the images as colour")
@click.option("--leave-out-broken", is_flag=True, help="skip images that cannot be read")
@click.option(
    "--trust-code", is_flag=True, help="open a .pt2, .onnx or TorchScript file, or call M:F, which can run any code"
)
@click.option(
    "--draws", type=int, default=1, metavar="N",
    help="the model draws random numbers: attack the mean of N draws, 20 or more",
)  # fmt: skip
@click.option("--backward", type=FILE, metavar="MODEL", help="a file of the model without its purifier, for gradients")
@device_option
@cores_option()
@click.option("--name", "study", metavar="NAME", help="of the study (default: from the model's)")
@click.option("--out", type=FILE, metavar="FILE.yaml", help="the study (default: workflow/studies/NAME.yaml)")
@click.option("--force", is_flag=True, help="replace a study that was edited or has another model")
@click.option("--json", type=FILE, metavar="FILE", help="write the numbers to a JSON file, for programs")
@click.option("--markdown", type=FILE, metavar="FILE", help="write a table, for a pull request or a model card")
@click.option(
    "--fail-under", type=click.FloatRange(0, 1, min_open=True), metavar="SHARE",
    help="exit code 5 if robust accuracy is lower, or cannot be known",
)  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="estimate the time (and write the study, if there is one), attack nothing"
)
def main(quick: bool, full: bool, **options: Any) -> int:
    """Measure how robust a model of your own is: write a study for it, and run it.

    The exit code is Snakemake's, 3 if another run works in this folder, or 5 if --fail-under asks for more.

    \b
    Examples:
      touchstone assay model.pt2 --data pictures/ --trust-code
      touchstone assay resnet18 --data pictures/ --quick
      touchstone assay defence:defend --data pictures/ --trust-code
      touchstone assay new.pt2 --against old.pt2 --data pictures/ --trust-code
      touchstone assay resnet18 --data pictures/ --accuracy-only --fail-under 0.4
      touchstone assay robustbench:Carmon2019Unlabeled --data cifar10 --dry-run
    """
    refuse_together({"--quick": quick, "--full": full})
    unused = {name: options[name.strip("-").replace("-", "_")] is not None for name in RESULTS}
    refuse_unused(
        unused if options["dry_run"] else {}, "needs a result, and --dry-run measures nothing; omit one of them"
    )
    refuse_together({"--gray": options["gray"], "--rgb": options["rgb"]})
    typed = SimpleNamespace(effort="quick" if quick else "full" if full else "usual", **options)
    # These import scipy, which --help does not need, and the second much else: a mistake is told before.
    from touchstone.assay import arguments

    arguments.check_unused(typed)
    from touchstone.assay.run_assay import run_assay

    return run_assay(typed)
