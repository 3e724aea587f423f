"""A file of one's own choice by address: what arrives, what is refused, and what is said without a network."""

import functools
import http.server
import io
import runpy
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from projects import study_text
from touchstone.data.ingest import downloads, http_files
from touchstone.data.own_images import own_images
from touchstone.data.sources.download import download
from touchstone.digests import file_digest
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.damage import DamagedFile
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

WRITERS = runpy.run_path(str(Path(__file__).parents[3] / "raw_archives.py"))
TERMS = {"licence": "CC BY 4.0", "citation": "Jones 2024, Flowers"}
NOWHERE = "http://127.0.0.1:9/flowers.zip"


def png(level):
    return WRITERS["png"](np.full((4, 4, 3), level, np.uint8))


MEMBERS = {
    "flowers/train/daisy/1.png": png(10),
    "flowers/train/rose/1.png": png(20),
    "flowers/test/daisy/1.png": png(30),
    "flowers/test/rose/1.png": png(40),
    "flowers/.thumbnails/1.png": png(50),
    "__MACOSX/flowers/1.png": png(60),
}
WRITTEN = [name for name in MEMBERS if "." not in name[8:9] and "__" not in name]


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder that a server of this machine offers, and its address."""
    monkeypatch.setenv("TOUCHSTONE_DOWNLOADS", str(tmp_path / "downloads"))
    monkeypatch.setattr(http_files, "RETRIES", 0)
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def flowers(tmp_path):
    folder = tmp_path / "raw" / "flowers"
    folder.mkdir(parents=True)
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "writer"), [("flowers.zip", "zipped"), ("flowers.tar.gz", "tar"), ("content", "zipped")]
)
def test_an_archive_arrives_unpacked_without_hidden_files(served, flowers, name, writer):
    folder, address = served
    (folder / name).write_bytes(WRITERS[writer](MEMBERS))

    download(flowers, url=f"{address}/{name}?download=1", sha256=file_digest(folder / name), **TERMS)

    assert names(flowers) == sorted(WRITTEN)
    assert (flowers / WRITTEN[0]).read_bytes() == MEMBERS[WRITTEN[0]]


@pytest.mark.parametrize(("name", "writer"), [("flowers.zip", "zipped"), ("flowers.tar.gz", "tar")])
def test_an_archive_with_a_control_character_in_a_name_is_refused(served, flowers, name, writer):
    folder, address = served
    (folder / name).write_bytes(WRITERS[writer]({"flowers/daisy/1\n.png": png(1)}))

    with pytest.raises(
        DamagedFile, match=rf"{name}: contains a name with a control character, 'flowers/daisy/1\\n\.png'"
    ):
        download(flowers, url=f"{address}/{name}", sha256=file_digest(folder / name), **TERMS)


def linked(path, links, kind=tarfile.LNKTYPE):
    """Write a tar of one file, and links (name, target) after it."""
    with tarfile.open(path, "w:gz") as packed:
        entry = tarfile.TarInfo("./flowers/daisy/1.png")
        entry.size = len(png(1))
        packed.addfile(entry, io.BytesIO(png(1)))
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            packed.addfile(link)
    return file_digest(path)


def test_a_hard_link_in_a_tar_is_a_copy_of_its_file(served, flowers):
    folder, address = served
    links = [
        ("flowers/rose/1.png", "./flowers/daisy/1.png"),
        ("flowers/rose/2.png", "flowers/rose/1.png"),
        ("flowers/.old/1.png", "flowers/rose/1.png"),
    ]
    digest = linked(folder / "flowers.tar.gz", links)

    download(flowers, url=f"{address}/flowers.tar.gz", sha256=digest, **TERMS)

    assert names(flowers) == ["flowers/daisy/1.png", "flowers/rose/1.png", "flowers/rose/2.png"]
    assert {path.read_bytes() for path in flowers.rglob("*.png")} == {png(1)}
    assert {path.stat().st_nlink for path in flowers.rglob("*.png")} == {1}


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        (
            "flowers/2.png",
            "/etc/hostname",
            "flowers/2.png is a link to /etc/hostname, which is no file that it contains",
        ),
        ("flowers/2.png", "../secret.png", r"flowers/2.png is a link to \.\./secret.png, which is no file"),
        ("flowers/2.png", "flowers/3.png", "flowers/2.png is a link to flowers/3.png, which is no file"),
        ("flowers/2.png", "flowers/.png", "flowers/2.png is a link to flowers/.png, which is no file"),
        ("../2.png", "flowers/daisy/1.png", r"\.\./2.png is a link to flowers/daisy/1.png, which is no file"),
        ("flowers/daisy/1.png", "flowers/daisy/1.png", "contains two files called flowers/daisy/1.png"),
    ],
)
def test_a_hard_link_that_leads_elsewhere_is_refused(served, flowers, name, target, words):
    folder, address = served
    (flowers.parent / "secret.png").write_bytes(png(9))
    digest = linked(folder / "flowers.tar.gz", [(name, target)])

    with pytest.raises(DamagedFile, match=rf"flowers\.tar\.gz: {words}"):
        download(flowers, url=f"{address}/flowers.tar.gz", sha256=digest, **TERMS)
    assert names(flowers.parent) == ["flowers/flowers/daisy/1.png", "secret.png"]


def test_hard_links_that_fill_the_disk_are_refused(served, flowers, monkeypatch):
    folder, address = served
    monkeypatch.setattr(downloads, "SMALL", 10 * len(png(1)))
    monkeypatch.setattr(downloads, "MOST_EXPANSION", 1)
    digest = linked(folder / "flowers.tar.gz", [(f"flowers/{n}.png", "flowers/daisy/1.png") for n in range(99)])

    with pytest.raises(DamagedFile, match=r"its links are too many for .* bytes; refused as a bomb"):
        download(flowers, url=f"{address}/flowers.tar.gz", sha256=digest, **TERMS)


@pytest.mark.parametrize("name", ["flowers.tar.gz", "flowers.zip"])
def test_a_symbolic_link_in_an_archive_is_refused_by_name(served, flowers, name):
    folder, address = served
    if name.endswith("zip"):
        entry = zipfile.ZipInfo("flowers/daisy/2.png")
        entry.external_attr = 0o120777 << 16
        with zipfile.ZipFile(folder / name, "w") as packed:
            packed.writestr("flowers/daisy/1.png", png(1))
            packed.writestr(entry, "1.png")
    else:
        linked(folder / name, [("flowers/daisy/2.png", "1.png")], tarfile.SYMTYPE)

    with pytest.raises(DamagedFile, match=rf"{name}: flowers/daisy/2\.png is a symbolic link; unpack it yourself"):
        download(flowers, url=f"{address}/{name}", sha256=file_digest(folder / name), **TERMS)


def test_arrays_arrive_as_they_are(served, flowers):
    folder, address = served
    stream = io.BytesIO()
    np.savez(stream, images=np.zeros((2, 1, 4, 4), np.uint8), labels=np.array([0, 1]))
    (folder / "my flowers.npz").write_bytes(stream.getvalue())

    download(flowers, url=f"{address}/my%20flowers.npz", sha256=file_digest(folder / "my flowers.npz"), **TERMS)

    assert names(flowers) == ["my flowers.npz"]
    assert own_images(flowers).labels.tolist() == [0, 1]


def test_the_mirror_is_asked_for_what_the_address_does_not_send(served, flowers):
    folder, address = served
    (folder / "copies").mkdir()
    (folder / "copies" / "flowers.zip").write_bytes(WRITERS["zipped"](MEMBERS))
    digest = file_digest(folder / "copies" / "flowers.zip")

    download(flowers, url=NOWHERE, sha256=digest, mirror=f"{address}/copies/", **TERMS)

    assert names(flowers) == sorted(WRITTEN)


def test_another_file_is_refused_with_both_digests(served, flowers):
    folder, address = served
    (folder / "flowers.zip").write_bytes(WRITERS["zipped"](MEMBERS))
    found = file_digest(folder / "flowers.zip")

    with pytest.raises(
        FileNotFoundError, match=f"sent another file: .*expected sha256:0{{64}} but got {found[7:]}"
    ) as caught:
        download(flowers, url=f"{address}/flowers.zip", sha256=f"sha256:{'0' * 64}", **TERMS)
    assert "Compare data.sources.flowers.sha256 in the study's file with the digest that" in str(caught.value)
    assert "Without network" not in str(caught.value)

    assert names(flowers) == []


def test_without_network_it_is_said_what_to_put_where(served, flowers, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "flowers.zip").write_bytes(WRITERS["zipped"](MEMBERS))
    digest = file_digest(tmp_path / "mine" / "flowers.zip")

    with pytest.raises(FileNotFoundError) as caught:
        download(flowers, url=NOWHERE, sha256=digest, **TERMS)

    for part in (
        f"flowers: could not download flowers.zip ({NOWHERE}: no connection:",
        f"flowers.zip  ({digest}, from {NOWHERE})",
        "set data.sources.flowers.local_folder to it, or data.sources.flowers.mirror to",
        "scale.absent: [flowers]",
    ):
        assert part in str(caught.value)

    download(flowers, url=NOWHERE, sha256=digest, local_folder=str(tmp_path / "mine"), **TERMS)
    assert names(flowers) == sorted(WRITTEN)


def test_an_archive_with_a_password_is_named(served, flowers):
    folder, address = served
    packed = bytearray(WRITERS["zipped"]({"1.png": png(1)}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(mark) + place] |= 1  # the bit that says: encrypted
    (folder / "flowers.zip").write_bytes(packed)

    with pytest.raises(DamagedFile, match=r"flowers\.zip: .*password"):
        download(flowers, url=f"{address}/flowers.zip", sha256=file_digest(folder / "flowers.zip"), **TERMS)


def test_two_places_of_a_source_are_two_sets_that_share_no_id(served, flowers):
    folder, address = served
    (folder / "flowers.zip").write_bytes(WRITERS["zipped"](MEMBERS))
    download(flowers, url=f"{address}/flowers.zip", sha256=file_digest(folder / "flowers.zip"), **TERMS)

    train, test = (own_images(flowers, inside=f"flowers/{part}") for part in ("train", "test"))

    assert [round(float(image.mean()) * 255) for image in (*train.images, *test.images)] == [10, 20, 30, 40]
    assert train.labels.tolist() == test.labels.tolist() == [0, 1]
    assert train.source == test.source == "flowers"
    assert not set(train.example_ids.tolist()) & set(test.example_ids.tolist())


def test_two_array_files_of_a_source_share_no_id(flowers):
    for name in ("test", "train"):
        np.savez(flowers / f"{name}.npz", images=np.zeros((2, 1, 4, 4), np.uint8), labels=np.array([0, 1]))

    train, test = (own_images(flowers, inside=f"{part}.npz") for part in ("train", "test"))

    assert len({*train.example_ids.tolist(), *test.example_ids.tolist()}) == 4


@pytest.mark.parametrize("place", ["flowers/tset", "..", "../other", "/"])
def test_a_place_outside_or_missing_is_refused(flowers, place):
    (flowers / "test").mkdir()
    (flowers.parent / "other").mkdir()

    with pytest.raises(ValueError, match=rf"inside: .*flowers contains no {place}; it contains test"):
        own_images(flowers, inside=place)


def study(root, **changes):
    """Write a study that tests on flowers, too; return its name."""
    source = {"use": "download", "url": NOWHERE, "sha256": f"sha256:{'0' * 64}", **TERMS} | changes
    source = {key: value for key, value in source.items() if value is not None}
    sets = {"flowers_far": {"use": "own_images", "source": "flowers", "labelled": False}}
    (root / "mine.yaml").write_text(study_text(data={"sources": {"flowers": source}, "ood_far": sets}))
    return "./mine.yaml"


@pytest.fixture
def root(tmp_path, monkeypatch):
    repository = Path(__file__).parents[4]
    for name in ("params.yaml", "requirements.lock", "workflow"):
        (tmp_path / name).symlink_to(repository / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_has_the_digest_and_its_folder_needs_none(root):
    plan = Plan(load(study(root)))

    fetch = plan.tasks[plan.layout.raw("flowers")]
    assert fetch.settings["component"]["sha256"] == f"sha256:{'0' * 64}"
    assert fetch.settings["sha256"] is None
    assert plan.layout.unpinned == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"url": "ftp://example.org/flowers.zip"},
            r"data\.sources\.flowers\.url: expected an address such as https://",
        ),
        ({"url": "https://example.org/"}, r"data\.sources\.flowers\.url: expected an address such as https://"),
        ({"url": "flowers.zip"}, r"data\.sources\.flowers\.url: expected an address such as https://"),
        ({"mirror": "/mnt/copies"}, r"data\.sources\.flowers\.mirror: expected an address such as https://"),
        (
            {"sha256": "d1ce"},
            r"data\.sources\.flowers\.sha256: expected sha256: and 64 hexadecimal digits, got \"d1ce\"",
        ),
        ({"sha256": None}, r"data\.sources\.flowers\.sha256: must be given: sha256: and 64 hexadecimal digits"),
        ({"licence": None}, r"data\.sources\.flowers\.licence: must be given"),
        ({"citation": None}, r"data\.sources\.flowers\.citation: must be given"),
        ({"license": "MIT"}, r"data\.sources\.flowers\.license: not a setting of sources/download\.py.*mean licence\?"),
    ],
)
def test_what_no_file_can_come_from_is_refused_before_any_job(root, changes, message):
    with pytest.raises(ParamsError, match=rf"mine\.yaml:\d+: {message}"):
        load(study(root, **changes))
