"""A classifier whose code is in its file: TorchScript."""

from __future__ import annotations

from torch import nn

from touchstone.network_files.programs import ScriptProgram


def torchscript_program(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return an empty network that takes over a TorchScript file, code and weights, from a checkpoint.

    For classifiers with `use: torchscript` alone. It gives logits and input gradients; its layers cannot be reached, so
    there are no features and no gradient norms (leave `confounding` empty). input_shape and classes are the file's own.
    It runs the file's code, so it is opened only where you trusted it (`touchstone assay FILE --trust-code`).
    """
    return ScriptProgram()
