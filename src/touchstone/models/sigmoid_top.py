"""A network whose classes have a sigmoid each, in place of one softmax."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from touchstone.contracts import Architecture


def sigmoid_top(input_shape: tuple[int, int, int], classes: int, *, network: Architecture) -> nn.Module:
    """Return log sigmoid(z_k) as logits, where z are the logits of another network.

    The probabilities of the classes are independent, so all of them may be small. Train it with `one_versus_rest`, which is
    then the binary cross-entropy of every class, and read `logits.exp()`; the predicted class is that of z.

    References:
        Goodfellow et al. 2015, appendix A.
    """
    return _SigmoidTop(network(input_shape, classes))


class _SigmoidTop(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return functional.logsigmoid(self.network(images))
