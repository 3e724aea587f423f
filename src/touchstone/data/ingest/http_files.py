"""Download one file over http or https, by pooch."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from touchstone import extras

RETRIES, TIMEOUT, BLOCK = 1, 60, 1 << 20  # per address, seconds without a byte, bytes
HEADERS = {"User-Agent": "touchstone", "Accept-Encoding": "identity"}

Watcher = Callable[[int, int], None]  # (bytes received, bytes in all)
watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


class AnotherFile(ConnectionError):
    """An address sent a file with another digest."""


def download(url: str, path: Path, digest: str | None = None) -> None:
    """Download a file, which gets its name when all of it has arrived.

    Until then it lies in the folder NAME.part beside it.

    Args:
        url: http or https address.
        path: where to write the file; its folder exists.
        digest: "<algorithm>:<hex>", which the file must have; None: any file.

    Raises:
        ConnectionError: If the address does not send the file; the message says why. AnotherFile if it sends another one.
        OSError: If the file cannot be written, for example because the disk is full.
        MissingPackage: If pooch is not installed.
    """
    with extras.explained(f"the download of {path.name}"):
        import pooch
        import requests
    if not url.startswith(("https://", "http://")):
        raise ConnectionError("expected an http or https address")
    pooch.get_logger().setLevel("WARNING")
    part = path.with_name(f"{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # a killed run left it
    report = watcher.get()
    send = pooch.HTTPDownloader(
        progressbar=_ProgressBar(report) if report else False,
        chunk_size=BLOCK,
        timeout=TIMEOUT,
        headers=HEADERS,
        hooks={"response": _leave_packed},
    )
    try:
        part.mkdir()
        store = pooch.create(
            part.absolute(), "", registry={path.name: digest}, urls={path.name: url}, retry_if_failed=RETRIES
        )
        whole = Path(store.fetch(path.name, downloader=send))
        whole.chmod(part.stat().st_mode & 0o666)  # pooch hides its files from other users
        whole.replace(path)
    except (requests.RequestException, ValueError) as error:
        kind = ConnectionError if isinstance(error, requests.RequestException) else AnotherFile
        raise kind(_reason(error)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _leave_packed(response: Any, **_: object) -> None:
    """Keep requests from unpacking NAME.gz, which some servers send as gzip-encoded NAME."""
    response.raw.headers.pop("Content-Encoding", None)


def _reason(error: Exception) -> str:
    """Return in plain words why an address did not send its file."""
    from requests import exceptions

    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    match error:
        case exceptions.HTTPError(response=answer) if answer is not None:
            return f"the server answered {answer.status_code} {answer.reason}"
        case exceptions.SSLError():
            return f"no secure connection: {cause} (REQUESTS_CA_BUNDLE can name a file of trusted certificates)"
        case exceptions.ProxyError():
            return f"no connection through the proxy that HTTP_PROXY or HTTPS_PROXY names: {cause}"
        case exceptions.Timeout():
            return f"no answer within {TIMEOUT} seconds"
        case exceptions.ChunkedEncodingError():
            return f"the connection broke off: {cause}"
        case exceptions.ConnectionError():
            return f"no connection: {cause}"
        case exceptions.RequestException():
            return str(error)
    return f"sent another file: {str(error).partition('. ')[0]}"  # pooch's ValueError; the rest is advice


class _ProgressBar:
    """What pooch fills as a progress bar.

    Args:
        report: called for every block.
    """

    def __init__(self, report: Watcher) -> None:
        self.report = report
        self.total = self.done = 0

    def update(self, size: int) -> None:
        self.done = min(self.done + size, self.total)  # pooch takes each block for a whole one
        if self.total:
            self.report(self.done, self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Do nothing: `progress.reported` removes its file."""


@contextmanager
def watched(report: Watcher) -> Iterator[None]:
    """Call `report` for every block of every download in the with statement."""
    token = watcher.set(report)
    try:
        yield
    finally:
        watcher.reset(token)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let only one process at a time download a file."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"touchstone: waiting for another run that downloads {path.name}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
