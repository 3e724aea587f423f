"""Small files that would unpack to gigabytes: each is refused in a sentence, in little memory, whoever reads it."""

import gzip
import io
import json
import lzma
import os
import resource
import struct
import sys
import tarfile
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from touchstone.__main__ import main
from touchstone.assay.weight_files import read_weights
from touchstone.data.ingest import downloads
from touchstone.data.ingest.picture_files import read_square, read_svhn
from touchstone.data.ingest.user_arrays import read_arrays
from touchstone.data.ingest.user_pictures import Shaping, read_picture
from touchstone.digests import canonical, sha256
from touchstone.provenance import archive
from touchstone.report import packing
from touchstone.settings.files import read_yaml

ROOM = 700_000_000  # bytes of memory beyond what the process has
SMALL = 2_000_000  # bytes of a bomb on the disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory in /proc")


def in_little_memory(action):
    """Run a function in a fork that may take ROOM more memory; return what it printed, returned or raised, and its peak."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        before = psutil.Process().memory_info()
        resource.setrlimit(resource.RLIMIT_AS, (before.vms + ROOM, before.vms + ROOM))
        said = io.StringIO()
        sys.stdout = sys.stderr = said
        try:
            code = f"returned {action()!r:.200}"
        except BaseException as error:  # noqa: BLE001 - a fork reports whatever happens
            code = f"{type(error).__name__}: {error}"
        (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
        os.write(writing, json.dumps([f"{said.getvalue()}{code}", 1024 * int(peak) - before.rss]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    assert answer, "the fork was killed"
    return json.loads(answer)


def refused(action, *words):
    text, peak = in_little_memory(action)

    assert not [word for word in words if word not in text], text[-500:]
    assert "MemoryError" not in text
    assert "Traceback" not in text
    assert peak < ROOM
    return text


def saved(path, data):
    path.write_bytes(data)
    assert len(data) < SMALL
    return path


# --- tables of reports -------------------------------------------------------------------------------------------------

HEADER = b"evaluation,entry,examples,metric,seed,threat,value\n"
TABLES = {
    "rows": HEADER + b"a,b,c,d,0,e,1\n" * 5_000_000,
    "short rows": HEADER + b"a\n" * 40_000_000,
    "empty rows": HEADER + b"\n" * 90_000_000,
    "columns": b"a," * 40_000_000 + b"\n",
    "a long cell": HEADER + b"a" * 90_000_000,
    "a row of many lines": HEADER + b'"\n",' * 18_000_000,
    "zeros": HEADER + bytes(300_000_000),
}


@pytest.fixture(scope="module", params=TABLES)
def report(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    saved(folder / packing.METRICS, gzip.compress(TABLES[request.param], 1))
    (folder / "claims.csv").write_text("claim,status\nS1-1,confirmed\n")
    return folder


def test_a_table_of_a_report_is_refused_by_compare(report):
    refused(
        lambda: main(["compare", str(report), str(report)]), "metrics.csv.gz: not a whole gzipped table: ", "returned 1"
    )


# --- packs ---------------------------------------------------------------------------------------------------------------


def packed(path, name, data, *, stated=None, manifest=None):
    """Write a pack by hand with one file."""
    files = {name: {"digest": sha256(data), "size": len(data) if stated is None else stated}}
    content = {"format": archive.FORMAT, "kind": "evaluation", "about": {}, "files": files}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.writestr(archive.MANIFEST, manifest or canonical(content))
        made.writestr(name, data)
    assert path.stat().st_size < SMALL
    return path


MEMBERS = {
    "rows.csv": (b"0\n" * 20_000_000, "lines, at most 200,000 are read"),
    "cells.csv": (b"," * 40_000_000, "cells, at most"),
    "sidecar.json": (b"[" + b"[]," * 15_000_000 + b"[]]", "values, at most 1,000,000 are read"),
    "clean.safetensors": (
        struct.pack("<Q", 40_000_000) + b'{"a":[' + b"0," * 19_000_000,
        "its header claims 40,000,000 bytes, at most 10,000,000",
    ),
    "attacked.safetensors": (
        struct.pack("<Q", 9_000_000) + b'{"a":[' + b"0," * 4_400_000 + b"0]}",
        "values, at most 1,000,000 are read",
    ),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_file_of_a_pack_is_a_finding_of_verify(name, tmp_path):
    data, words = MEMBERS[name]
    path = packed(tmp_path / "bomb.pack", name, data)

    refused(lambda: main(["verify", str(path)]), f"bytes: {name}: cannot be unpacked", words, "returned 1")


def test_a_manifest_is_refused(tmp_path):
    path = packed(tmp_path / "bomb.pack", "rows.csv", b"", manifest='{"format":[' + "[]," * 20_000_000 + "[]]}")

    refused(lambda: main(["verify", str(path)]), "bomb.pack: cannot be read", "unpacks to more than the", "returned 1")


@pytest.mark.parametrize("values", ["[],", '"a",', "{},"])
def test_a_manifest_of_many_values_for_its_files_is_refused(values, tmp_path):
    path = tmp_path / "bomb.pack"
    many = values * (200 * 15_000 // len(values))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(archive.MANIFEST, f'{{"format":"{archive.FORMAT}","about":[{many}0]}}')
        for number in range(15_000):
            made.writestr(str(number), b"")
    assert path.stat().st_size < SMALL

    words = "bomb.pack: the manifest of its 15,001 files is refused as a bomb", "at most 76,388 are read"
    _, peak = in_little_memory(lambda: archive.read_manifest(path))
    assert peak < ROOM / 10
    refused(lambda: main(["verify", str(path)]), *words, "returned 1")


def test_a_pack_of_thousands_of_files_with_long_names_is_read(tmp_path):
    names = [f"results/{'a' * 100}/{'b' * 100}/{number:_<50}.csv" for number in range(5_000)]
    written = archive.write(tmp_path / "own.pack", "study", {}, [(name, lambda: b"a\n") for name in names])

    assert archive.read_manifest(tmp_path / "own.pack") == written


def test_a_pack_that_needs_more_memory_than_there_is_is_refused(tmp_path, monkeypatch):
    path = packed(tmp_path / "large.pack", "clean.safetensors", bytes(60_000_000))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 100_000_000}))

    refused(
        lambda: main(["verify", str(path)]), "large.pack: reading it takes 240,000,000 bytes of memory", "returned 1"
    )


# --- pages, settings -----------------------------------------------------------------------------------------------------


def test_a_page_of_many_packed_parts_is_refused():
    part = f'<script type="text/plain" class="packed">{packing.packed(" " * 30_000_000)}</script>'

    refused(lambda: packing.unpacked(40 * part), "packed part", "unpacks to more than")


def test_settings_of_aliases_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path = saved(tmp_path / "study.yaml", "\n".join(lines).encode())

    refused(lambda: read_yaml(path), "study.yaml:", "more than 100,000 values")


# --- images and weights --------------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side):
    """A black picture of one bit per pixel."""
    squeezed, row = zlib.compressobj(9), bytes(side // 8 + 1)
    body = b"".join(squeezed.compress(row) for _ in range(side)) + squeezed.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "read", [partial(read_square, size=32, shrink=True), partial(read_picture, shaping=Shaping((32, 32)))]
)
def test_a_picture_is_refused(read, tmp_path):
    path = saved(tmp_path / "black.png", png(24_000))

    refused(lambda: read(path), "exceeds limit of")


def test_arrays_are_refused(tmp_path):
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made, made.open("images.npy", "w") as stream:
        stream.write(np.lib.format.magic(1, 0))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (80, 1000, 1000)}
        )
        stream.write(header.getvalue()[8:])
        for _ in range(80):
            stream.write(bytes(1_000_000))
    assert path.stat().st_size < SMALL

    refused(lambda: read_arrays(path, labelled=False), "images.npz: unpacks to 0.08 GB; at most")


@pytest.mark.parametrize("read", [partial(read_arrays, labelled=True), read_weights])
def test_a_header_of_tensors_is_refused(read, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", 60_000_000) + b'{"a":[' + b"0," * 30_000_000)

    refused(lambda: read(path), "weights.safetensors: its header claims 60,000,000 bytes")


def test_weights_of_one_number_repeated_are_refused(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"weight": torch.zeros(1).expand(100_000, 100_000)}, path)
    assert path.stat().st_size < SMALL

    refused(lambda: read_weights(path), "weights.pt: weight is no plain array")


def test_an_array_of_svhn_is_refused(tmp_path):
    squeezed = zlib.compressobj(1)
    body = squeezed.compress(struct.pack("<II", 14, 70_000_000))
    body += b"".join(squeezed.compress(bytes(10_000_000)) for _ in range(7)) + squeezed.flush()
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    path = saved(tmp_path / "train_32x32.mat", head + struct.pack("<II", 15, len(body)) + body)

    refused(lambda: read_svhn(path), "train_32x32.mat: not a whole .mat file", "refused as a bomb")


# --- downloads -----------------------------------------------------------------------------------------------------------


def test_a_gzipped_file_is_refused(tmp_path):
    path = saved(tmp_path / "images.gz", gzip.compress(bytes(280_000_000), 1))

    refused(lambda: downloads.gunzipped(path), "images.gz: not a whole gzip file", "unpacks to more than 268 MB")


class Zeros(io.RawIOBase):
    """A stream of zeros, which takes no memory."""

    def readable(self):
        return True

    def readinto(self, block):
        block[:] = bytes(len(block))
        return len(block)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_is_refused_before_it_fills_the_disk(kind, tmp_path):
    path, size = tmp_path / f"images.{kind}", 70_000_000
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("zeros.bin", bytes(size))
    else:
        with tarfile.open(path, "w:gz") as made:
            member = tarfile.TarInfo("zeros.bin")
            member.size = size
            made.addfile(member, io.BufferedReader(Zeros()))

    refused(lambda: downloads.unpack(path, tmp_path, str), f"images.{kind}: unpacks to more than 100 times")
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 100_000_000


def test_an_archive_of_too_many_files_is_refused(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for number in range(11_000):
            made.addfile(tarfile.TarInfo(f"{number:07}"))
    path = saved(tmp_path / "files.tar.xz", lzma.compress(stream.getvalue(), preset=1))

    refused(
        lambda: downloads.unpack(path, tmp_path / "unpacked", lambda name: None), "files.tar.xz: contains more than"
    )
