"""gradnorm_huang: L1 norm of the last layer's gradient towards uniform; pytorch-ood's is of all parameters."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import PositiveFloat


def gradnorm_huang(logits: Tensor, features: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return minus the L1 norm of d KL(uniform || softmax(z / T)) / dW.

    The last layer is z = W h + b. The gradient is the outer product of (p - 1/K) / T and h, so its L1 norm is the
    product of theirs. The authors sum over classes instead of averaging, which multiplies every score by K.

    Args:
        logits: z, (N, K).
        features: h, (N, D).
        temperature: T.

    Returns:
        (N,), at most 0; higher is more anomalous.

    pytorch-ood's GradNorm takes the gradients of all parameters by default, so it ranks images differently. With only the
    weight of the last layer, as in the paper, both rank images alike.

    References:
        Huang et al. 2021, eq. 4 and 7; their larger norm is our lower score.
    """
    probabilities = (logits / temperature).softmax(dim=1)
    output = (probabilities - 1 / logits.shape[1]).abs().sum(1) / temperature
    return -output * features.abs().sum(1)
