"""A user's pictures: which files are read, what is skipped or changed, and that both are counted."""

import struct
import zlib
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from touchstone.data.ingest.user_images import own_images
from touchstone.data.ingest.user_pictures import FIRST_FRAME, OPAQUE, TURNED, Shaping, bits_of, read_picture, suffixes
from touchstone.records.damage import DamagedFile

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
UPRIGHT = 0x0112


def saved(path, picture=None, kind=None, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture or Image.fromarray(RAMP).convert("RGB")).save(path, kind, **settings)
    return path


def exif(orientation):
    tags = Image.Exif()
    tags[UPRIGHT] = orientation
    return tags


KINDS = {
    **{".jfif": "JPEG", ".jpe": "JPEG", ".JPG": "JPEG", ".gif": "GIF", ".jp2": "JPEG2000", ".avif": "AVIF"},
    **{".tga": "TGA", ".ico": "ICO", ".pnm": "PPM", ".dib": "DIB", ".pcx": "PCX", ".webp": "WEBP", ".tif": "TIFF"},
}


@pytest.mark.parametrize("suffix", KINDS)
def test_a_picture_of_every_kind_that_pil_opens_is_read(tmp_path, suffix):
    settings = {"sizes": [(8, 6)]} if suffix == ".ico" else {}
    saved(tmp_path / f"a/1{suffix}", kind=KINDS[suffix], **settings)

    held = own_images(tmp_path)

    assert held.names == (f"a/1{suffix}",) and held.skipped == ""
    images, broken, *_ = held.read([0], Shaping())
    assert not broken and images.shape == (1, 3, 6, 8)
    assert np.abs(images[0].astype(int) - RAMP).mean() < 8


@pytest.mark.parametrize("name", ["one", "1.jpg.1", "scan.0001", "2.picture"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "JPEG2000", "AVIF", "TIFF", "BMP", "WEBP"])
def test_a_picture_is_recognised_without_its_suffix(tmp_path, name, kind):
    saved(tmp_path / "a" / name, kind=kind)

    assert own_images(tmp_path).names == (f"a/{name}",)


def test_what_is_skipped_is_counted_by_reason(tmp_path):
    saved(tmp_path / "a/1.png")
    for name in ("a/2.heic", "a/3.HEIC", "a/notes.txt", "b/README", "b/Thumbs.db", "b/empty"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"" if name == "b/empty" else b"no picture")
    for name in ("a/.DS_Store", "a/._1.png", ".git"):
        (tmp_path / name).touch()
    np.savez(tmp_path / "more.npz", images=RAMP)

    held = own_images(tmp_path)

    assert held.names == ("a/1.png",)
    assert held.skipped == (
        "6 files that PIL here does not open as pictures (1 .db, 2 .heic, 1 .txt, 2 without suffix),"
        " 1 file of arrays beside pictures (1 .npz), 3 files hidden by a dot before the name"
    )


def deep_png():
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header, rows = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), b"\0" + 3 * struct.pack(">H", 0x12FF)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_tiff(channels):
    """One pixel of 16 bits for each colour, and the tags that describe it."""
    size = 2 * channels
    tags = {256: 1, 257: 1, 258: 8 + size, 259: 1, 262: 2, 273: 8, 277: channels, 278: 1, 279: size}
    lines = [struct.pack("<HHII", tag, 3, channels if tag == 258 else 1, value) for tag, value in tags.items()]
    pixel, bits = struct.pack(f"<{channels}H", *[0x12FF] * channels), struct.pack(f"<{channels}H", *[16] * channels)
    return (
        struct.pack("<2sHI", b"II", 42, 8 + 2 * size)
        + pixel
        + bits
        + struct.pack("<H", len(tags))
        + b"".join(lines)
        + bytes(4)
    )


def changed(kind, place, more, value):
    """A picture of 8 bits, one byte of which says that it has more."""
    stream = BytesIO()
    Image.fromarray(RAMP).convert("RGB").save(stream, kind)
    data = bytearray(stream.getvalue())
    data[data.index(place) + more] |= value
    return bytes(data)


DEEP = {
    "png": (deep_png, 16),
    "ico": (lambda: struct.pack("<HHHBBBBHHII", 0, 1, 1, 1, 1, 0, 0, 1, 32, len(deep_png()), 22) + deep_png(), 16),
    "tif": (lambda: deep_tiff(3), 16),
    "tiff": (lambda: deep_tiff(4), 16),
    "ppm": (lambda: b"P6 1 1 65535\n" + 3 * b"\x12\xff", 16),
    "pnm": (lambda: b"P3 # a comment\n1 1 1023 1000 9 8\n", 10),
    "pgm": (lambda: b"P5 1 1 300\n\x01\x10", 9),
    "jp2": (lambda: changed("JPEG2000", b"\xff\x4f\xff\x51", 42, 15), 16),
    "j2k": (lambda: changed("JPEG2000", b"\xff\x4f\xff\x51", 42, 0x80 | 11), 16),
}


@pytest.mark.parametrize("kind", DEEP)
def test_a_picture_of_more_than_8_bits_is_refused_and_not_cut(tmp_path, kind):
    made, bits = DEEP[kind]
    path = tmp_path / f"deep.{kind}"
    path.write_bytes(made())

    with pytest.raises(ValueError, match=rf"its pixels are not of 8 bits \({bits} for each colour\); convert it first"):
        read_picture(path, Shaping())


@pytest.mark.parametrize(("more", "bits"), [(0, 8), (0x40, 10), (0x60, 12)])
def test_an_avif_says_how_many_bits_a_colour_has(more, bits):
    data = changed("AVIF", b"av1C", 6, more)

    assert bits_of(SimpleNamespace(format="AVIF"), data) == bits  # PIL writes none of more than 8


@pytest.mark.parametrize("data", [b"P6 1 1 255\n\x01\x02\x03", b"P6 1 1 15\n\x01\x02\x03", b"P4 8 1\n\xff"])
def test_a_picture_of_fewer_bits_is_read(tmp_path, data):
    (tmp_path / "1.ppm").write_bytes(data)

    assert read_picture(tmp_path / "1.ppm", Shaping())[0].dtype == np.uint8


def test_a_folder_without_pictures_says_what_it_holds_instead(tmp_path):
    (tmp_path / "1.heic").write_bytes(b"x")

    with pytest.raises(DamagedFile, match=r"no images: expected pictures.*; found 1 file that PIL .*\(1 \.heic\)"):
        own_images(tmp_path)


def test_an_empty_picture_is_broken_and_not_skipped(tmp_path):
    saved(tmp_path / "a/1.png")
    (tmp_path / "a/2.png").touch()

    assert own_images(tmp_path).read(range(2), Shaping()).broken[0][0] == "a/2.png"


def of_ramp(path):
    return own_images(path).read([0], Shaping(colour="gray"))


@pytest.mark.parametrize("kind", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize(("orientation", "turn"), [(3, lambda i: i[::-1, ::-1]), (6, lambda i: np.rot90(i, -1))])
def test_exif_orientation_is_applied_and_counted(tmp_path, kind, orientation, turn):
    saved(tmp_path / f"a/1.{kind}", exif=exif(orientation), **({"quality": 100} if kind != "tiff" else {}))

    found = of_ramp(tmp_path)

    assert np.abs(found.images[0, 0].astype(int) - turn(RAMP)).mean() < 8
    assert found.changed == (f"{TURNED}: 1 image, such as a/1.{kind}",)


@pytest.mark.parametrize("tags", [exif(1), exif(0), exif(99), b"Exif\0\0II*\0\xff\xff\xff\xff", b"words"])
def test_a_picture_that_is_upright_or_has_torn_exif_is_read_as_it_is(tmp_path, tags):
    saved(tmp_path / "a/1.jpg", exif=tags)

    found = of_ramp(tmp_path)

    assert not found.broken and not found.changed


def test_only_real_transparency_is_counted(tmp_path):
    alpha = Image.fromarray(np.full((6, 8), 255, np.uint8))
    clear = Image.fromarray(RAMP)
    for name, channel in (("1", alpha), ("2", clear)):
        picture = Image.fromarray(RAMP).convert("RGBA")
        picture.putalpha(channel)
        saved(tmp_path / f"a/{name}.png", picture)

    found = own_images(tmp_path).read(range(2), Shaping())

    assert found.changed == (f"{OPAQUE}: 1 image, such as a/2.png",)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff", "avif"])
def test_of_several_frames_the_first_is_read_and_that_is_counted(tmp_path, kind):
    frames = [Image.fromarray(np.full((6, 8), 40 * frame, np.uint8)).convert("RGB") for frame in (1, 2, 3)]
    saved(tmp_path / f"a/1.{kind}", frames[0], save_all=True, append_images=frames[1:])

    found = of_ramp(tmp_path)

    assert abs(int(found.images.mean()) - 40) < 4
    assert found.changed == (f"{FIRST_FRAME}: 1 image, such as a/1.{kind}",)


def test_cmyk_is_converted_and_counted(tmp_path):
    saved(tmp_path / "a/1.jpg", Image.fromarray(RAMP).convert("RGB").convert("CMYK"))

    assert of_ramp(tmp_path).changed == ("converted from CMYK to RGB: 1 image, such as a/1.jpg",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_what_loses_nothing_is_not_counted(tmp_path, mode):
    saved(tmp_path / "a/1.png", Image.fromarray(RAMP).convert(mode))

    assert of_ramp(tmp_path).changed == ()


def test_grey_and_colour_together_need_another_option_than_sizes(tmp_path):
    saved(tmp_path / "a/1.png")
    saved(tmp_path / "a/2.png", Image.fromarray(RAMP))
    saved(tmp_path / "b/1.png")
    saved(tmp_path / "b/2.png", Image.new("RGB", (9, 9)))

    with pytest.raises(ValueError, match=r"give gray or rgb \(--gray, --rgb\), so that"):
        own_images(tmp_path).read([0, 1], Shaping())
    with pytest.raises(ValueError, match=r"give a size to resize to \(--resize 32x32\), so that"):
        own_images(tmp_path).read([2, 3], Shaping())


@pytest.mark.parametrize("size", [(99_999, 99_999), (1, 5000), (5000, 1)])
def test_a_side_that_takes_all_memory_is_refused(size):
    with pytest.raises(ValueError, match=r"at most 4,096 pixels a side"):
        Shaping(size)


def test_postscript_and_hosts_of_programs_are_no_pictures():
    assert not {".eps", ".ps", ".pdf", ".wmf"} & suffixes()
