"""mean_intensity: the trivial baseline that looks at brightness alone."""

from __future__ import annotations

from torch import Tensor


def mean_intensity(images: Tensor) -> Tensor:
    """Return the mean pixel of each image, (N,), from 0 to 1; brighter counts as more anomalous.

    images (N, C, H, W) in [0, 1].  Nothing is fitted and the sign is fixed here, before any result: against darker
    anomalies its AUROC lies below 0.5 and is reported so.  A detector that does not beat it, on either side of 0.5,
    may have seen nothing but brightness.
    """
    return images.flatten(1).mean(dim=1)
