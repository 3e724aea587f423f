"""Archives: found, downloaded, checked, unpacked; each failure in words that say what to do."""

import errno
import gzip
import hashlib
import http.server
import io
import os
import resource
import runpy
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from touchstone import extras
from touchstone.data.ingest import http_files
from touchstone.data.ingest.downloads import Archive, published, unpack
from touchstone.records.damage import DamagedFile

WRITERS = runpy.run_path(str(Path(__file__).parents[3] / "raw_archives.py"))
DATA = os.urandom(3_000_000)
MD5 = f"md5:{hashlib.md5(DATA).hexdigest()}"


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `data` as /data.bin.

    Attributes:
        cut: how many bytes of each next answer are sent.
        wait: seconds before an answer.
        kind: the Content-Encoding that answers name.
        asked: the paths that were asked for.
    """

    data, wait, kind = DATA, 0.0, ""

    def do_GET(self):
        type(self).asked.append(self.path)
        time.sleep(self.wait)
        if not self.path.endswith("/data.bin"):
            self.send_error(503 if "busy" in self.path else 404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        if self.kind:
            self.send_header("Content-Encoding", self.kind)
        self.end_headers()
        self.wfile.write(self.data[: self.cut.pop(0)] if self.cut else self.data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve files over http, or over https with a context; return the handler."""
    monkeypatch.setenv("TOUCHSTONE_DOWNLOADS", str(tmp_path / "downloads"))
    monkeypatch.setattr(http_files, "TIMEOUT", 5)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    running = []

    def serve(context=None):
        handler = type("Handler", (Server,), {"cut": list[int](), "asked": list[str]()})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.handle_error = lambda *arguments: None  # a client that hangs up
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        handler.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}/data.bin"
        return handler

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(served):
    return served()


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that nobody has signed, with its key."""
    path = tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", tmp_path / "public.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + (tmp_path / "public.pem").read_bytes())
    return path


@pytest.fixture
def secure(served, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return served(context)


def kept(tmp_path):
    """The names in the folder of a source."""
    return {path.name for path in (tmp_path / "downloads" / "mine").iterdir()} - {"data.bin.lock"}


def get(handler, *, url=None, digest=MD5, mirror=None, local_folder=None):
    archive = Archive("data.bin", (url or handler.url,), digest)
    (path,) = published([archive], "mine", local_folder=local_folder, mirror=mirror)
    return path


def test_a_download_is_whole_and_kept(server):
    first, again = get(server), get(server)

    assert first == again
    assert first.read_bytes() == DATA
    assert len(server.asked) == 1


def test_a_cut_download_is_tried_once_more(server):
    server.cut[:] = [1_000_000]

    assert get(server).read_bytes() == DATA
    assert len(server.asked) == 2


def test_a_cut_download_leaves_nothing_that_looks_whole(server, tmp_path):
    server.cut[:] = [1_000_000, 1_000_000]
    with pytest.raises(FileNotFoundError, match="broke off"):
        get(server)

    assert kept(tmp_path) == set()


def test_what_a_killed_run_left_is_removed(server, tmp_path):
    part = tmp_path / "downloads" / "mine" / "data.bin.part"
    part.mkdir(parents=True)
    (part / "tmp1234").write_bytes(DATA[:-1])
    (part / "data.bin").write_bytes(DATA[:-1])

    assert get(server).read_bytes() == DATA
    assert kept(tmp_path) == {"data.bin"}


def test_a_killed_download_leaves_nothing_that_looks_whole(server, tmp_path):
    server.cut[:] = [1_000_000]
    code = f"""if True:
        import os
        from touchstone.data.ingest.downloads import Archive, published
        from touchstone.data.ingest.http_files import watched
        archive = Archive("data.bin", ({server.url!r},), {MD5!r})
        with watched(lambda done, total: os._exit(9)):
            published([archive], "mine", local_folder=None, mirror=None)
    """
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9

    assert kept(tmp_path) == {"data.bin.part"}
    assert get(server).read_bytes() == DATA
    assert kept(tmp_path) == {"data.bin"}


def test_two_runs_at_once_download_a_file_once(server, capsys):
    server.wait = 0.5

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: get(server).read_bytes(), range(2))

    assert first == second == DATA
    assert len(server.asked) == 1
    assert "waiting for another run that downloads data.bin" in capsys.readouterr().err


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_other_users_may_read_a_download_if_the_umask_lets_them(server, mask, mode):
    before = os.umask(mask)
    try:
        assert get(server).stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


def test_other_bytes_are_refused_and_not_kept(server, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"sent another file: .*expected md5:0{{32}} but got {MD5[4:]}[);]"):
        get(server, digest="md5:" + "0" * 32)

    assert kept(tmp_path) == set()


@pytest.mark.parametrize("kind", ["gzip", "x-gzip", "deflate"])
def test_a_packed_file_stays_packed_whatever_its_server_calls_it(server, kind):
    server.data, server.kind = gzip.compress(DATA), kind

    assert get(server, digest=f"md5:{hashlib.md5(server.data).hexdigest()}").read_bytes() == server.data


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

    with http_files.watched(lambda done, total: told.append((done, total))):
        get(server)

    done, totals = zip(*told, strict=True)
    assert set(totals) == {len(DATA)}
    assert len(told) >= 3 and list(done) == sorted(done) and done[-1] == len(DATA)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:9/data.bin", "no connection: [Errno 111] Connection refused"),
        ("http://nowhere.invalid/data.bin", "no connection: [Errno "),
        ("{server}/gone.bin", "the server answered 404 Not Found"),
        ("{server}/busy.bin", "the server answered 503 Service Unavailable"),
        ("https://{host}/data.bin", "no secure connection: "),
        ("http://[data.bin", "Failed to parse: '[data.bin' is not a valid host or port"),
        ("https://host:port/data.bin", "Failed to parse: 'host:port' is not a valid host or port"),
        ("http://", "Invalid URL 'http://': No host supplied"),
        ("data.bin", "expected an http or https address"),
        ("ftp://127.0.0.1/data.bin", "expected an http or https address"),
    ],
)
def test_an_address_that_sends_nothing_is_named_with_the_reason(server, address, reason, monkeypatch):
    monkeypatch.setattr(http_files, "RETRIES", 0)
    there = server.url.removesuffix("/data.bin")
    url = address.format(server=there, host=there.removeprefix("http://"))

    with pytest.raises(FileNotFoundError) as caught:
        get(server, url=url)

    first, _, advice = str(caught.value).partition("\n")
    assert first.startswith(f"mine: could not download data.bin ({url}: {reason}")
    assert advice.startswith("Without network, put these files")


def test_a_silent_server_is_not_waited_for_forever(server, monkeypatch):
    monkeypatch.setattr(http_files, "TIMEOUT", 0.2)
    server.wait = 1.0

    with pytest.raises(FileNotFoundError, match=r"data\.bin: no answer within 0\.2 seconds"):
        get(server)


def test_an_unknown_certificate_is_refused_and_its_remedy_works(secure, certificate, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"no secure connection: .*self-signed certificate .*REQUESTS_CA_BUNDLE"
    ):
        get(secure)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    assert get(secure).read_bytes() == DATA


def test_a_proxy_is_used_unless_it_is_told_otherwise(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.removesuffix("data.bin"))

    assert get(server, url="http://files.example/data.bin").read_bytes() == DATA
    assert server.asked == ["http://files.example/data.bin"]

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    archive = Archive("data.bin", (server.url,), MD5)
    with pytest.raises(FileNotFoundError, match=r"no connection through the proxy that HTTP_PROXY .*refused"):
        published([archive], "others", local_folder=None, mirror=None)

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (path,) = published([archive], "others", local_folder=None, mirror=None)
    assert path.read_bytes() == DATA


@pytest.fixture
def full_disk():
    """No file may grow beyond a megabyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_is_named_and_not_blamed_on_the_server(server, tmp_path, full_disk):
    with pytest.raises(OSError, match=r"File too large: '.*downloads/mine/data\.bin'$") as caught:
        get(server)

    assert not isinstance(caught.value, FileNotFoundError)
    assert kept(tmp_path) == set()


def test_a_folder_that_is_read_only_serves_what_it_holds(server, tmp_path):
    path = get(server)
    path.with_name("data.bin.lock").unlink()
    path.parent.chmod(0o500)  # root writes all the same, so the names are compared

    assert get(server) == path
    assert [each.name for each in path.parent.iterdir()] == ["data.bin"]


def test_without_pooch_its_extra_is_named_and_a_local_folder_works(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    (tmp_path / "data.bin").write_bytes(DATA)

    assert get(server, local_folder=str(tmp_path)).read_bytes() == DATA
    with pytest.raises(extras.MissingPackage, match=r"download of data\.bin needs the package pooch.*\[data\]"):
        get(server)


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

    from touchstone.data.sources import fashion_mnist, gtsrb, mnist, places365, svhn, textures

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
