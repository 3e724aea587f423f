"""Pictures of pixels as a page contains them: as WebP in few colours, in the page itself."""

from __future__ import annotations

import base64
import io

from PIL import Image

COLOURS = 32  # on the page; a figure's files have more


def address(png: bytes) -> str:
    """Return a PNG as the data URL of a WebP with few colours, which is at most a third as large."""
    whole, stream = Image.open(io.BytesIO(png)), io.BytesIO()
    if whole.mode == "RGBA":  # the only method that keeps transparency
        fewer = whole.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).convert("RGBA")
    else:
        fewer = whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).convert("RGB")
    fewer.save(stream, "webp", lossless=True, quality=90, method=6)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
