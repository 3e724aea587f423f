"""Small archives in the exact format of every source that has some, written by hand: no reader's own writer is used."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from touchstone.data.ingest.downloads import Archive

RANDOM = np.random.default_rng(0)


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def cifar(labels, images):
    """The binary version: per image its label bytes, then 3072 pixels, channel by channel, row by row."""
    rows = [bytes(np.atleast_1d(label).tolist()) + image.tobytes() for label, image in zip(labels, images, strict=True)]
    return b"".join(rows)


def mat(variables, packed=True):
    """MATLAB 5.0 MAT-file, level 5: a header, then one element per variable; arrays lie column by column."""
    elements = b""
    for name, array in variables.items():
        flags = element(6, struct.pack("<II", {np.dtype("u1"): 9, np.dtype("f8"): 6}[array.dtype], 0))
        shape = element(5, struct.pack(f"<{array.ndim}i", *array.shape))
        kind = {np.dtype("u1"): 2, np.dtype("f8"): 9}[array.dtype]
        matrix = element(14, flags + shape + element(1, name.encode()) + element(kind, array.tobytes(order="F")))
        if packed:
            body = zlib.compress(matrix)
            matrix = struct.pack("<II", 15, len(body)) + body
        elements += matrix
    return b"MATLAB 5.0 MAT-file, by hand".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + elements


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def ppm(pixels):
    """Pixels (H, W, 3)."""
    return f"P6\n{pixels.shape[1]} {pixels.shape[0]}\n255\n".encode() + pixels.tobytes()


def png(pixels):
    """Pixels (H, W, 3)."""
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def jpeg(pixels):
    """The one format that nobody writes by hand."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def tar(files, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tape:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tape.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


def colours(*shape):
    return RANDOM.integers(0, 256, shape, np.uint8)


def striped(labels, height, width, channels=3):
    """Pixels (N, H, W, C): noisy stripes by which a network can tell the classes apart."""
    across, down = np.meshgrid(np.linspace(0, 2 * np.pi, width), np.linspace(0, 2 * np.pi, height))
    labels = np.asarray(labels)[:, None, None]
    stripes = np.sin(across * (labels % 10) / 3 + down * (labels // 10 + labels % 3) / 2 + labels)
    noise = RANDOM.normal(0, 25, (*labels.shape[:1], height, width, channels))
    return (128 + 80 * stripes[..., None] + noise).clip(0, 255).astype(np.uint8)


def gray(times=1):
    """The four files of MNIST or Fashion-MNIST."""
    files = {}
    for name in ("train", "t10k"):
        labels = (np.arange(240 * times) % 10).astype(np.uint8)
        files[f"{name}-images-idx3-ubyte.gz"] = gzip.compress(idx(striped(labels, 28, 28, 1)[..., 0]), mtime=0)
        files[f"{name}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels), mtime=0)
    return files


def contents(times=1, fine=20, signs=10):
    """Return {source: {archive: bytes}}, each source with enough rows for every part of it.

    Labelled images are `times` the fewest that will do, of `fine` classes in CIFAR-100 and `signs` in GTSRB.
    """
    rows = np.arange(500 * times)
    batches = {
        f"cifar-10-batches-bin/{name}.bin": cifar(labels, striped(labels, 32, 32).transpose(0, 3, 1, 2))
        for name, count in [*((f"data_batch_{number}", 110) for number in range(1, 6)), ("test_batch", 40)]
        for labels in [rows[: count * times] % 10]
    }
    batches |= {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n", "cifar-10-batches-bin/readme.html": b"<html>"}
    hundred = {
        f"cifar-100-binary/{name}.bin": cifar(
            np.stack([labels // 5, labels], 1), striped(labels, 32, 32).transpose(0, 3, 1, 2)
        )
        for name, count in (("train", 500), ("test", 40))
        for labels in [rows[: count * times] % fine]
    }
    house = {
        f"{name}_32x32.mat": mat(
            {"X": striped(digits, 32, 32).transpose(1, 2, 3, 0), "y": (digits + 1)[:, None].astype(np.uint8)}
        )
        for name, count in (("train", 730), ("test", 40 * times))
        for digits in [np.arange(count) % 10]
    }
    tracks = {
        f"GTSRB/Training/{kind:05d}/{track:05d}_{frame:05d}.ppm": ppm(striped([kind], 9 + track, 12)[0])
        for kind in range(signs)
        for track in range(16 if kind else 5)  # as in the real set, a class may have five tracks
        for frame in range(3)
    }
    tracks["GTSRB/Training/00000/GT-00000.csv"] = b"Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n"
    tested = range(40 * times)
    lines = "".join(f"{row:05d}.ppm;12;9;5;5;8;8;{row % signs}\r\n" for row in tested)
    table = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n" + lines
    clothes = gray(times)
    textures = {
        f"dtd/images/{kind}/{kind}_{number:04d}.jpg": jpeg(colours(40, 60, 3))
        for kind in ("dotted", "woven")
        for number in range(9)
    }
    return {
        "cifar10": {"cifar-10-binary.tar.gz": tar(batches)},
        "cifar100": {"cifar-100-binary.tar.gz": tar(hundred)},
        "svhn": house,
        "gtsrb": {
            "GTSRB-Training_fixed.zip": zipped(tracks),
            "GTSRB_Final_Test_Images.zip": zipped(
                {f"GTSRB/Final_Test/Images/{row:05d}.ppm": ppm(striped([row % signs], 10, 11)[0]) for row in tested}
            ),
            "GTSRB_Final_Test_GT.zip": zipped({"GT-final_test.csv": table.encode()}),
        },
        "mnist": clothes,
        "fashion_mnist": clothes,
        "textures": {"dtd-r1.0.1.tar.gz": tar(textures | {"dtd/labels/train1.txt": b"dotted/dotted_0000.jpg\n"})},
        "places365": {
            "val_256.tar": tar({f"val_256/Places365_val_{n:08d}.jpg": jpeg(colours(50, 50, 3)) for n in range(1, 45 * times + 1)}, "w")
        },
        "lsun_crop": {"LSUN.tar.gz": tar({f"LSUN/test/{n}.jpg": jpeg(colours(36, 36, 3)) for n in range(15)})},
        "lsun_resize": {
            "LSUN_resize.tar.gz": tar({f"LSUN_resize/LSUN_resize/{n}.jpg": jpeg(colours(32, 32, 3)) for n in range(15)})
        },
        "isun": {"iSUN.tar.gz": tar({f"iSUN/iSUN_patches/{n}.jpeg": jpeg(colours(32, 32, 3)) for n in range(15)})},
    }  # fmt: skip


def write(folder: Path) -> dict[str, tuple[Archive, ...]]:
    """Write every archive into `folder`; return what each source's ARCHIVES must be for it to be let pass."""
    tables = {}
    for source, files in contents().items():
        for name, data in files.items():
            (folder / name).write_bytes(data)
        tables[source] = tuple(
            Archive(name, (f"http://127.0.0.1:9/{name}",), f"md5:{hashlib.md5(data).hexdigest()}")
            for name, data in files.items()
        )
    return tables
