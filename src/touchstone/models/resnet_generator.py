"""The residual generator of pix2pix and CycleGAN, as a translator."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.contracts import PositiveInt


def resnet_generator(
    input_shape: tuple[int, int, int], *, filters: PositiveInt = 64, blocks: PositiveInt = 6
) -> nn.Module:
    """Return a translator from images to images, in [0, 1].

    Two halvings of the side, `blocks` residual blocks, two doublings. 7.84 million weights at 3 channels with the
    defaults, 11.38 million with 9 blocks. Instance normalisation. Inside, pixels lie in [-1, 1]. The end is clip((z +
    1) / 2), because the published tanh cannot reach the ends of the range. Borders are padded with zeros: the
    gradient of reflection is not deterministic on GPUs.

    References:
        Isola et al. 2017 after Johnson et al. 2016; docs/papers/translation.md, Deviations.
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
        outputs: Tensor = features + self.change(features)
        return outputs


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
        # If 4 does not divide a side, the layers return a slightly larger one.
        translated: Tensor = self.layers(2 * images - 1)[..., : images.shape[2], : images.shape[3]]
        return ((translated + 1) / 2).clamp(0, 1)
