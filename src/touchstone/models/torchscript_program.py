"""A classifier whose code is in its file: TorchScript."""

from __future__ import annotations

from torch import nn

from touchstone.network_files.programs import ScriptProgram


def torchscript_program(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return an empty network for a TorchScript file.

    A checkpoint fills it with code and weights. Only for classifiers with `use: torchscript`. It gives logits and
    input gradients. Its layers cannot be accessed, so it has no features and no gradient norms: leave `confounding`
    empty. It runs the file's code, so it opens only a file that you trusted (`touchstone assay FILE --trust-code`).
    input_shape and classes are those of the file.
    """
    return ScriptProgram()
