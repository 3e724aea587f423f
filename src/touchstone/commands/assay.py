"""`touchstone assay MODEL --data PATH`: measure how robust a model of the user's own is."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_cores


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `assay`."""
    parser.usage = "touchstone assay MODEL --data PATH [options]"
    parser.add_argument("model", help="a .pt2, .onnx or weights file, a torchvision name, or robustbench:NAME")
    parser.add_argument(
        "--data", required=True, metavar="PATH", help="a folder per class, .npz, .safetensors, or cifar10"
    )
    parser.add_argument("--ood", action="append", metavar="PATH", help="images of no class (default: generated)")
    parser.add_argument("--eps", help="L-inf budget, of the pixel range (default: the zoo's, or 8/255)")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument(
        "--quick", dest="effort", action="store_const", const="quick", help="minutes: 100 images, few steps"
    )
    effort.add_argument(
        "--full", dest="effort", action="store_const", const="full", help="up to 1,000 images, many steps"
    )
    parser.set_defaults(effort="usual")
    parser.add_argument("--architecture", metavar="M:F", help="module:function; returns the network of the weights")
    parser.add_argument("--weights", metavar="FILE", help="of a torchvision network (default: published)")
    parser.add_argument("--key", metavar="NAME", help="of the weights, in a file that holds several: ema")
    parser.add_argument("--mean", help="per channel: 0.5,0.5,0.5 (default: the model normalises)")
    parser.add_argument("--std", help="per channel, like --mean")
    parser.add_argument("--classes", metavar="A,B,C", help="all classes in the model's order (default: a to z)")
    parser.add_argument("--resize", metavar="HxW", help="resize the images (default: never)")
    colour = parser.add_mutually_exclusive_group()
    colour.add_argument("--gray", action="store_true", help="read the images as gray")
    colour.add_argument("--rgb", action="store_true", help="read the images as colour")
    parser.add_argument("--leave-out-broken", action="store_true", help="skip images that cannot be read")
    parser.add_argument("--trust-code", action="store_true",
                        help="open a .pt2, .onnx or TorchScript file, or call M:F, which can run any code")  # fmt: skip
    parser.add_argument("--draws", type=int, default=1, metavar="N",
                        help="the model draws random numbers: attack the mean of N draws, 20 or more")  # fmt: skip
    parser.add_argument("--backward", metavar="MODEL", help="a file of the model without its purifier, for gradients")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    add_cores(parser)
    parser.add_argument("--name", dest="study", help="of the study (default: from the model's)")
    parser.add_argument("--out", metavar="FILE.yaml", help="the study (default: workflow/studies/NAME.yaml)")
    parser.add_argument("--force", action="store_true", help="replace a study that was edited or has another model")
    parser.add_argument("--dry-run", action="store_true", help="write the study, estimate its time, run nothing")


def main(options: argparse.Namespace) -> int:
    """Write the study and run it; return Snakemake's exit code."""
    # It imports scipy, which --help does not need.
    from touchstone.assay.run_assay import run_assay

    return run_assay(options)
