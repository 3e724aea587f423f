"""The patch discriminator of pix2pix and CycleGAN: which patches look real."""

from __future__ import annotations

from torch import nn

from touchstone.contracts import PositiveInt


def patch_discriminator(
    input_shape: tuple[int, int, int], *, filters: PositiveInt = 64, layers: PositiveInt = 2, paired: bool = True
) -> nn.Module:
    """Return a network from images to one logit per patch; a higher logit means real.

    Logits are (N, 1, h, w). Patches are 34 pixels wide with 2 `layers`, 70 with 3 (the published size). Each layer
    halves the side.

    Args:
        input_shape: of one image.
        filters: channels of the first convolution.
        layers: number of halvings.
        paired: whether the input is a pair (N, 2C, H, W), the given image with the real or generated one; otherwise
            only the latter, (N, C, H, W), as in CycleGAN.

    References:
        Isola et al. 2017, section 3.2.2.
    """
    height, side = input_shape[1:]
    if min(height, side) < 3 * 2**layers:
        raise ValueError(
            f"a discriminator of {layers} layers needs images of at least {3 * 2**layers} pixels a side, got"
            f" {height} x {side}: set layers to a lower number"
        )
    width = filters
    channels = input_shape[0] * (2 if paired else 1)
    network: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    for layer in range(1, layers + 1):
        following = filters * min(2**layer, 8)
        stride = 2 if layer < layers else 1
        network += [nn.Conv2d(width, following, 4, stride=stride, padding=1), nn.InstanceNorm2d(following)]
        network.append(nn.LeakyReLU(0.2))
        width = following
    return nn.Sequential(*network, nn.Conv2d(width, 1, 4, padding=1))
