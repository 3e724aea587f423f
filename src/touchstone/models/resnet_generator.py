"""The residual generator of pix2pix and CycleGAN, as a translator."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.contracts import PositiveInt


def resnet_generator(
    input_shape: tuple[int, int, int], *, filters: PositiveInt = 64, blocks: PositiveInt = 6
) -> nn.Module:
    """Return a translator from pixels to pixels of the same shape, in [0, 1]: two halvings, `blocks` blocks, back.

    7.84 million weights at 3 channels with the defaults, 11.38 million with 9 blocks; instance normalisation.
    Isola et al. 2017 after Johnson et al. 2016. Inside, images lie in [-1, 1]; the end is clip((z + 1) / 2), since the
    published tanh cannot reach the ends of the range (papers.md 5.g item 3). Zeros pad the borders instead of their
    reflection, whose gradient is not deterministic on GPUs.
    """
    return _Generator(input_shape[0], filters, blocks)


def _convolution(channels: int, filters: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, filters, kernel, stride=stride, padding=kernel // 2)
    return nn.Sequential(convolution, nn.InstanceNorm2d(filters), nn.ReLU())


def _enlargement(channels: int, filters: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(channels, filters, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(convolution, nn.InstanceNorm2d(filters), nn.ReLU())


class _Block(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        second = nn.Conv2d(filters, filters, 3, padding=1)
        self.change = nn.Sequential(_convolution(filters, filters, 3), second, nn.InstanceNorm2d(filters))

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = features + self.change(features)
        return changed


class _Generator(nn.Module):
    def __init__(self, channels: int, filters: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(channels, filters, 7),
            _convolution(filters, 2 * filters, 3, stride=2),
            _convolution(2 * filters, 4 * filters, 3, stride=2),
            *[_Block(4 * filters) for _ in range(blocks)],
            _enlargement(4 * filters, 2 * filters),
            _enlargement(2 * filters, filters),
            nn.Conv2d(filters, channels, 7, padding=3),
        )

    def forward(self, images: Tensor) -> Tensor:
        # Sides that 4 does not divide come back a little larger.
        made: Tensor = self.layers(2 * images - 1)[..., : images.shape[2], : images.shape[3]]
        return ((made + 1) / 2).clamp(0, 1)
