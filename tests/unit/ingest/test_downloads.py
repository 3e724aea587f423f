"""Archives: found, downloaded, resumed, checked, unpacked; each failure in words that say what to do."""

import errno
import hashlib
import http.server
import io
import os
import runpy
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from touchstone.ingest import downloads
from touchstone.ingest.downloads import Archive, published, unpack, watched
from touchstone.records.encoding import DamagedFile

WRITERS = runpy.run_path(str(Path(__file__).parents[2] / "raw_archives.py"))
DATA = os.urandom(3_000_000)
MD5 = f"md5:{hashlib.md5(DATA).hexdigest()}"


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `data` as /data.bin; `cut` answers end after that many bytes; `ranges` honours Range."""

    ranges = True
    data = DATA

    def do_GET(self):
        start = 0
        asked = self.headers.get("Range")
        type(self).asked.append(asked)
        if self.path != "/data.bin":
            self.send_error(404)
            return
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.data) - start))
        self.end_headers()
        body = self.data[start:]
        self.wfile.write(body[: self.cut.pop(0)] if self.cut else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_DOWNLOADS", str(tmp_path / "downloads"))
    monkeypatch.setattr(downloads, "TIMEOUT", 5)
    handler = type("Handler", (Server,), {"cut": list[int](), "asked": list[str | None]()})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    handler.url = f"http://127.0.0.1:{served.server_port}/data.bin"
    yield handler
    served.shutdown()
    served.server_close()


def get(handler, *, url=None, digest=MD5, mirror=None, local_folder=None):
    archive = Archive("data.bin", (url or handler.url,), digest)
    (path,) = published([archive], "mine", local_folder=local_folder, mirror=mirror)
    return path


def test_a_download_is_whole_and_kept(server):
    first, again = get(server), get(server)

    assert first == again
    assert first.read_bytes() == DATA
    assert len(server.asked) == 1


def test_a_cut_download_goes_on_where_it_ended(server):
    server.cut[:] = [1_000_000, 500_000]

    assert get(server).read_bytes() == DATA
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_download_that_was_killed_goes_on_in_the_next_run(server, tmp_path):
    server.cut[:] = [1_000_000, 0, 0]
    with pytest.raises(FileNotFoundError, match="cut off after 1,000,000 of 3,000,000 bytes"):
        get(server)

    assert get(server).read_bytes() == DATA
    assert server.asked[-1] == "bytes=1000000-"


def test_a_server_without_ranges_starts_anew(server):
    server.ranges = False
    server.cut[:] = [1_000_000]

    assert get(server).read_bytes() == DATA


def test_a_rest_that_is_too_long_starts_anew(server, tmp_path):
    part = tmp_path / "downloads" / "mine" / f"data.bin.{MD5[4:12]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA + b"more")

    assert get(server).read_bytes() == DATA


def test_other_bytes_are_refused_and_not_kept(server, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"sent another file .*found {MD5}"):
        get(server, digest="md5:" + "0" * 32)

    assert list((tmp_path / "downloads" / "mine").iterdir()) == []


def test_a_kept_file_that_was_spoiled_is_fetched_again(server):
    path = get(server)
    path.write_bytes(b"spoiled")

    assert get(server).read_bytes() == DATA


def test_two_sources_keep_their_files_of_the_same_name(server):
    first = get(server)
    server.data = b"of another source"
    archive = Archive("data.bin", (server.url,), f"md5:{hashlib.md5(server.data).hexdigest()}")
    (second,) = published([archive], "theirs", local_folder=None, mirror=None)

    assert (first.read_bytes(), second.read_bytes()) == (DATA, server.data)


def test_a_file_that_a_user_puts_directly_into_the_folder_is_read(server, tmp_path):
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "data.bin").write_bytes(DATA)

    assert get(server).read_bytes() == DATA
    assert server.asked == []


def test_the_next_address_is_tried(server):
    archive = Archive("data.bin", (server.url.replace("data.bin", "gone.bin"), server.url), MD5)

    (path,) = published([archive], "mine", local_folder=None, mirror=None)

    assert path.read_bytes() == DATA


def test_a_mirror_serves_by_name(server):
    assert get(server, url="http://127.0.0.1:9/x", mirror=server.url.removesuffix("data.bin")).read_bytes() == DATA


def test_progress_is_told_up_to_the_end(server):
    told = []

    with watched(lambda done, total: told.append((done, total))):
        get(server)

    assert told[-1] == (len(DATA), len(DATA))
    assert len(told) == 3


def test_without_network_the_files_and_where_to_put_them_are_told(server):
    with pytest.raises(FileNotFoundError) as caught:
        get(server, url="http://127.0.0.1:9/data.bin")

    for part in (
        "mine: could not download data.bin",
        "127.0.0.1:9",
        MD5,
        "sources.mine.local_folder",
        "sources.mine.mirror",
    ):
        assert part in str(caught.value)


def test_nothing_but_http_is_opened(server, tmp_path):
    (tmp_path / "secret").write_bytes(DATA)

    with pytest.raises(FileNotFoundError, match="expected an http or https address"):
        get(server, url=(tmp_path / "secret").as_uri())


def test_a_local_folder_is_asked_alone_and_left_as_it_is(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA)

    assert get(server, local_folder=str(tmp_path)) == tmp_path / "data.bin"
    assert server.asked == []


def test_a_local_folder_that_lacks_files_is_told_with_their_addresses(server, tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"lacks:\n  data\.bin  \({MD5}, from http"):
        get(server, local_folder=str(tmp_path))


def test_a_local_file_of_another_digest_is_damaged(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(DATA[:-1])

    with pytest.raises(DamagedFile, match=rf"data\.bin: expected {MD5}, found md5:"):
        get(server, local_folder=str(tmp_path))


def test_unpacking_takes_what_is_wanted(tmp_path):
    for name, packed in (("a.tar.gz", WRITERS["tar"]), ("a.zip", WRITERS["zipped"])):
        (tmp_path / name).write_bytes(packed({"in/one.bin": b"1", "in/two.txt": b"2"}))

        unpack(
            tmp_path / name, tmp_path / f"{name}.out", lambda member: Path(member).name if ".bin" in member else None
        )

        assert [path.read_bytes() for path in (tmp_path / f"{name}.out").rglob("*")] == [b"1"]


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize("evil", ["../out.bin", "/out.bin", "in/../../out.bin"])
def test_no_archive_writes_outside_its_folder(tmp_path, evil, name):
    (tmp_path / name).write_bytes(WRITERS["tar" if "tar" in name else "zipped"]({evil: b"1"}))

    with pytest.raises(DamagedFile, match="outside its folder"):
        unpack(tmp_path / name, tmp_path / "out", lambda member: member)

    assert {path.name for path in tmp_path.rglob("*")} == {name}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_no_link_or_device_comes_out_of_a_tar(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        entry = tarfile.TarInfo("in/link.bin")
        entry.type, entry.linkname = kind, "/etc/hostname"
        packed.addfile(entry)
        whole = tarfile.TarInfo("in/link.bin/one.bin")  # below the link, were it there
        whole.size = 1
        packed.addfile(whole, io.BytesIO(b"1"))

    unpack(tmp_path / "a.tar.gz", tmp_path / "out", lambda member: member)

    assert [path.name for path in (tmp_path / "out").rglob("*") if not path.is_dir()] == ["one.bin"]
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_a_link_in_a_zip_is_a_file_of_its_words(tmp_path):
    entry = zipfile.ZipInfo("link.bin")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(entry, "/etc/hostname")

    unpack(tmp_path / "a.zip", tmp_path / "out", lambda member: member)

    assert not (tmp_path / "out/link.bin").is_symlink()
    assert (tmp_path / "out/link.bin").read_text() == "/etc/hostname"


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_an_archive_that_is_not_whole_is_damaged_and_named(tmp_path, name, cut):
    data = WRITERS["tar" if "tar" in name else "zipped"]({"one.bin": os.urandom(5000)})
    (tmp_path / name).write_bytes(data[:cut])

    with pytest.raises(DamagedFile, match=name):
        unpack(tmp_path / name, tmp_path / "out", lambda member: member)


def test_an_archive_of_something_else_is_damaged(tmp_path):
    (tmp_path / "a.zip").write_bytes(WRITERS["zipped"]({"one.bin": b"1"}))

    with pytest.raises(DamagedFile, match="contains none of the expected files"):
        unpack(tmp_path / "a.zip", tmp_path / "out", lambda member: None)


def test_two_files_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(WRITERS["zipped"]({"a/one.bin": b"1", "b/one.bin": b"2"}))

    with pytest.raises(DamagedFile, match="two files called"):
        unpack(tmp_path / "a.zip", tmp_path / "out", lambda member: Path(member).name)


def test_a_full_disk_is_not_blamed_on_the_archive(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(WRITERS["zipped"]({"one.bin": b"1"}))

    def full(*arguments, **settings):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)

    with pytest.raises(OSError, match="No space left") as caught:
        unpack(tmp_path / "a.zip", tmp_path / "out", lambda member: member)
    assert not isinstance(caught.value, DamagedFile)


def test_addresses_and_digests_are_torchvisions():
    from torchvision import datasets

    from touchstone.sources import fashion_mnist, gtsrb, mnist, places365, svhn, textures

    for source, theirs in ((mnist, datasets.MNIST), (fashion_mnist, datasets.FashionMNIST)):
        assert [(a.name, a.digest.removeprefix("md5:")) for a in source.ARCHIVES] == theirs.resources
        assert list(source.MIRRORS) == theirs.mirrors
    houses = [(archive.urls[0], archive.name, archive.digest.removeprefix("md5:")) for archive in svhn.ARCHIVES]
    assert houses == [tuple(datasets.SVHN.split_list[part]) for part in ("train", "test")]
    (dtd,) = textures.ARCHIVES
    assert (dtd.urls[0], dtd.digest) == (datasets.dtd.DTD._URL, f"md5:{datasets.dtd.DTD._MD5}")
    (places,) = places365.ARCHIVES
    assert (places.name, places.digest.removeprefix("md5:")) == datasets.Places365._IMAGES_META["val", True]
    assert places.urls[0] == datasets.Places365._BASE_URL + places.name
    code = Path(datasets.gtsrb.__file__).read_text()
    for archive in gtsrb.ARCHIVES:
        assert archive.name in code and archive.digest.removeprefix("md5:") in code
    assert gtsrb.BASE in code
