import base64
import io

import numpy as np
import pytest
from PIL import Image

from touchstone.report import rasters
from touchstone.report.inline_svg import inline_svg


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="png")
    return stream.getvalue()


def shown(address):
    return Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/webp;base64,"))))


def test_a_picture_keeps_its_pixels_if_it_has_few_colours():
    pixels = np.array([[[0, 0, 0], [255, 0, 0]], [[0, 128, 255], [255, 255, 255]]], dtype=np.uint8)

    np.testing.assert_array_equal(np.asarray(shown(rasters.address(png(pixels))).convert("RGB")), pixels)


def test_a_picture_has_at_most_as_many_colours_as_a_page_shows():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)

    assert len(shown(rasters.address(png(pixels))).getcolors(64 * 64)) <= rasters.COLOURS


@pytest.mark.parametrize("wrapped", [False, True])
def test_points_within_a_figure_become_smaller_and_stay_on_a_transparent_ground(wrapped):
    pixels = np.zeros((40, 40, 4), dtype=np.uint8)
    pixels[10:20, 10:20] = [0, 114, 178, 255]
    data = base64.b64encode(png(pixels)).decode()
    data = "\n".join([data[:20], data[20:]]) if wrapped else data
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    svg = f'<svg {namespaces}><image xlink:href="data:image/png;base64,{data}"/></svg>'

    html = inline_svg(svg, "name", "words", {})

    seen = np.asarray(shown(html.split('href="')[1].split('"')[0]).convert("RGBA"))
    assert (seen[:10, :, 3] == 0).all() and (seen[10:20, 10:20, 3] == 255).all()
    assert abs(seen[15, 15, :3].astype(int) - [0, 114, 178]).max() <= 8
