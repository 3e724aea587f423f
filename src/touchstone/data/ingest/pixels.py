"""Image arrays in numpy and PIL: the 1/255 grid, resizing, tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from touchstone.records.nouns import Array

LEVELS = 255  # 8-bit images
PIECE = 1 << 20  # values of images that are computed at a time
BILINEAR = "bilinear (PIL, mode F, before rounding to 1/255)"


def to_levels(images: Array) -> Array:
    """Return the nearest 8-bit level of each value, uint8.

    Clipped to [0, 1], ValueError for NaN or infinity.
    """
    levels = np.empty(images.shape, np.uint8)
    for rows in pieces(images.shape):
        if not np.isfinite(images[rows]).all():
            raise ValueError("images contain NaN or infinity")
        levels[rows] = np.rint(np.clip(images[rows], 0, 1) * LEVELS)
    return levels


def levels_in_pieces(shape: tuple[int, ...], images: Callable[[int, int], Array]) -> Array:
    """Return the 8-bit levels of images that are never in memory as a whole, uint8.

    Args:
        shape: of all images.
        images: returns the images from one row up to another. It is called for consecutive rows, in order.
    """
    levels = np.empty(shape, np.uint8)
    for rows in pieces(shape):
        levels[rows] = to_levels(images(rows.start, rows.stop))
    return levels


def pieces(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield consecutive runs of rows of an array, about PIECE values each."""
    size = max(1, PIECE // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], size):
        yield slice(start, min(start + size, shape[0]))


def from_levels(levels: Array) -> Array:
    """Return 8-bit levels as float32 in [0, 1], the values of `tensors.to_grid`."""
    images = levels.astype(np.float32)
    images /= np.float32(LEVELS)
    return images


def resized(images: Array, height: int, width: int) -> Array:
    """Return images (..., H, W) resized bilinearly to (..., height, width), float32, not rounded.

    PIL widens its filter when it shrinks, so a smaller image averages all pixels of the larger one.
    """
    planes = np.ascontiguousarray(images, np.float32).reshape(-1, *images.shape[-2:])
    pictures = [Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in planes]
    return np.stack([np.asarray(picture) for picture in pictures]).reshape(*images.shape[:-2], height, width)


def blurred(images: Array, sigma: float) -> Array:
    """Return images (N, C, H, W) blurred by a Gaussian of `sigma` pixels, truncated at 4 sigma; edges are repeated."""
    from skimage.filters import gaussian

    untyped: Callable[..., Array] = gaussian
    return untyped(images, sigma=(0, 0, sigma, sigma), mode="nearest", truncate=4.0, preserve_range=True)


def tiles(
    photographs: Sequence[Array], *, size: int, stride: int | None, scale: float, count: int | None
) -> tuple[Array, Array]:
    """Return tiles of gray photographs and their numbers.

    Args:
        photographs: (H, W) each.
        size: side of a tile.
        stride: between tiles. None: tiles do not overlap; overlapping ones are not independent examples.
        scale: of the photographs, above 0, at most 1.
        count: number of tiles, evenly spaced; None: all.

    Returns:
        Tiles (N, 1, size, size), and numbers (N,) int64 through all photographs, row by row.

    Raises:
        ValueError: If there are fewer tiles than `count`, or if a photograph is smaller than a tile.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, got {scale}")
    patches = []
    for photograph in photographs:
        height, width = (round(length * scale) for length in photograph.shape)
        if min(height, width) < size:
            raise ValueError(f"size must be at most {min(height, width)} at scale {scale}, got {size}")
        windows = sliding_window_view(resized(photograph, height, width), (size, size))
        patches.append(windows[:: stride or size, :: stride or size].reshape(-1, 1, size, size))
    every = np.concatenate(patches)
    if count is not None and count > len(every):
        raise ValueError(f"count must be at most {len(every)} for tiles of {size} at scale {scale}, got {count}")
    numbers = np.arange(count or len(every), dtype=np.int64) * len(every) // (count or len(every))
    return every[numbers], numbers


def to_pictures(images: Array) -> list[Image.Image]:
    """Return images (N, C, H, W) in [0, 1] as 8-bit PIL pictures: gray for 1 channel, RGB for 3, else ValueError."""
    if images.shape[1] not in (1, 3):
        raise ValueError(f"a picture has 1 or 3 channels, got {images.shape[1]}")
    levels = to_levels(images)
    return [Image.fromarray(level[0] if len(level) == 1 else np.moveaxis(level, 0, -1).copy()) for level in levels]


def from_pictures(pictures: Sequence[Image.Image]) -> Array:
    """Return 8-bit PIL pictures as images (N, C, H, W), float32 in [0, 1]."""
    levels = np.stack([np.atleast_3d(np.asarray(picture)) for picture in pictures])
    return from_levels(np.moveaxis(levels, -1, 1))
