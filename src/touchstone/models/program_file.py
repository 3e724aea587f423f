"""A classifier whose code is in its file: a torch.export program (.pt2) or TorchScript."""

from __future__ import annotations

from torch import nn

from touchstone.models.networks.programs import RISK, ProgramFile


def program_file(input_shape: tuple[int, int, int], classes: int, *, trust_code: bool) -> nn.Module:
    """Return an empty network for a torch.export program or a TorchScript file.

    A checkpoint fills it with code and weights. Only for classifiers with `use: program_file`. input_shape and classes are
    those of the file. Linear layers, 2-d convolutions and batch normalisations of a torch.export program are layers for
    detectors, too. The layers of TorchScript cannot be reached, so it has no features and no gradient norms: leave
    `confounding` empty.

    Args:
        input_shape: (C, H, W).
        classes: number of logits.
        trust_code: whether you trust whoever made the file, because opening it can run any code.

    Raises:
        ValueError: nobody trusts the file.
    """
    if not trust_code:
        raise ValueError(f"opening a program {RISK}: write trust_code: true into `model:` if you trust the file")
    return ProgramFile()
