"""Packed tensors come back byte for byte, and forged packings are refused."""

import numpy as np
import pytest
from safetensors.numpy import save

from touchstone.evidence_files import pixel_planes

GRID = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(1, 1, 16, 16)


@pytest.mark.parametrize(
    ("tensors", "share"),
    [
        ({"images": GRID}, 0.5),
        ({"images": GRID, "unquantised": GRID + np.float32(0.001), "labels": np.arange(5)}, 1.0),
        ({"margins": np.array([np.inf, np.nan, -0.0, 2.0], np.float32)}, 1.01),
        ({"empty": np.zeros((0, 3), np.float32), "names": np.frombuffer(b"abc", np.uint8)}, 1.01),
    ],
)
def test_a_file_comes_back_byte_for_byte(tensors, share):
    data = save(tensors, metadata={"touchstone": "{}"})
    packing, packed = pixel_planes.pack("a.safetensors", data)

    assert packing == pixel_planes.PIXELS
    assert len(packed) <= share * len(data) + len(tensors)
    assert pixel_planes.unpack(packing, packed, len(data)) == data


def test_what_is_no_file_of_tensors_stays_as_it_is():
    assert pixel_planes.pack("a.csv", b"1,2") == (pixel_planes.PLAIN, b"1,2")
    assert pixel_planes.pack("a.safetensors", b"\x80\x04.") == (pixel_planes.PLAIN, b"\x80\x04.")


def test_a_packing_that_gives_more_or_less_than_stated_is_refused():
    data = save({"images": GRID})
    _, packed = pixel_planes.pack("a.safetensors", data)

    for forged, size in ((packed, len(data) - 4), (packed, len(data) + 4), (packed[:-4], len(data)), (b"", 8)):
        with pytest.raises(ValueError):
            pixel_planes.unpack(pixel_planes.PIXELS, forged, size)
