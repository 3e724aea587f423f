"""A file of weights that is downloaded arrives whole, or the message says what went wrong."""

import http.server
import resource
import threading

import pytest

from touchstone.data.sources.checkpoint_file import checkpoint_file

DATA = bytes(3_000_000)


@pytest.fixture
def address(request):
    """The address of weights, of which the server sends only some bytes."""

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA[: request.param])

        def log_message(self, *arguments):
            pass

    served = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}/weights.pt"
    served.shutdown()
    served.server_close()


@pytest.mark.parametrize("address", [len(DATA)], indirect=True)
def test_a_whole_download_is_kept(address, tmp_path):
    checkpoint_file(tmp_path, location=address)

    assert (tmp_path / "weights.pt").read_bytes() == DATA


@pytest.mark.parametrize("address", [1_000_000], indirect=True)
def test_a_download_that_is_cut_off_is_refused(address, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights\.pt: the connection broke off: .*\. Put the file"):
        checkpoint_file(tmp_path, location=address)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", [len(DATA)], indirect=True)
def test_a_full_disk_is_not_blamed_on_the_server(address, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*weights\.pt'$") as error:
            checkpoint_file(tmp_path, location=address)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not isinstance(error.value, FileNotFoundError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["http://[weights.pt", "https://host:port/weights.pt", "http://127.0.0.1:1/w.pt"])
def test_an_address_that_leads_nowhere_is_named(location, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        checkpoint_file(tmp_path, location=location)

    assert str(error.value).startswith(f"checkpoint_file: {location}: ")
