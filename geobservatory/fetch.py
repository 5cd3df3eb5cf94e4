"""Files fetched whole over HTTP into a cache, verified, and verified again when reread.

A file is written beside its final name and renamed when it is there and right; its SHA-256 stands
in a sidecar (`NAME.sha256`, as `sha256sum -c` reads it). A cached file that does not match its
sidecar, or has none, is fetched again. Two processes may fetch the same file at once.
"""

import hashlib
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import requests

from geobservatory.errors import InputError, NotFoundError, TransientError
from geobservatory.files import written_whole

ATTEMPTS = 5
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
# To connect, and between two pieces of the answer.
_TIMEOUTS_S = (10.0, 60.0)
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}
_STALE_S = 86_400.0
_MD5 = re.compile(r'"([0-9a-f]{32})"')
_JITTER = random.SystemRandom()

Wait = Callable[[float], None]
Check = Callable[[Path], None]


def cached(url: str, path: Path, check: Check, wait: Wait) -> Path:
    """Give a file of the cache, fetched when it is not there or damaged; see `fetch`."""
    if not intact(path):
        fetch(url, path, check, wait)
    return path


def fetch(url: str, path: Path, check: Check, wait: Wait, sha256: str | None = None) -> None:
    """Fetch a file, in place of the one that may be there.

    Parameters
    ----------
    url
        Where it is fetched from.
    path
        Where it is kept; the folder is made.
    check
        Raises `InputError` where a file is not what it should be.
    wait
        Waits so many seconds before the next attempt (`time.sleep`).
    sha256
        What the file must have, where that is known.

    Raises
    ------
    NotFoundError
        If the server has no such file.
    InputError
        If the server refuses.
    TransientError
        If five attempts failed in a way that may pass: no connection, a busy server, a body cut
        short or wrong.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    for attempt in range(ATTEMPTS):
        try:
            _fetch(url, path, check, sha256)
            return
        except TransientError as error:
            failure = error
            if attempt < ATTEMPTS - 1:
                wait(_pause_s(attempt, error))
    raise TransientError(f"{failure}; gave up after {ATTEMPTS} attempts")


def folder_name(address: str) -> str:
    """Name a cache folder after an address, so that two servers' files never mix."""
    parts = urlsplit(address)
    # Without a user or password.
    return "".join(
        c if c.isalnum() or c in ".-" else "-"
        for c in f"{parts.hostname}-{parts.port or ''}{parts.path}".strip("-/")
    )


def intact(path: Path) -> bool:
    """Tell whether a file is there and matches its sidecar."""
    try:
        recorded = _sidecar(path).read_text().split()[0]
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == recorded
    except (FileNotFoundError, IndexError, UnicodeDecodeError):
        return False


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _sweep(path: Path) -> None:
    """Remove what processes that were killed left beside a file."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        try:
            if time.time() - part.stat().st_mtime > _STALE_S:
                part.unlink()
        except FileNotFoundError:
            continue


class _BusyError(TransientError):
    """A server that says when to come back."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


def _pause_s(attempt: int, error: TransientError) -> float:
    """Twice as long each time, and never the same for two clients that failed together."""
    pause = _FIRST_WAIT_S * 2**attempt * _JITTER.uniform(0.5, 1.5)
    if isinstance(error, _BusyError):
        pause = max(pause, error.after_s)
    return min(pause, _LONGEST_WAIT_S)


def _fetch(url: str, path: Path, check: Check, sha256: str | None) -> None:
    try:
        # Compressed on the way, a body's length would not be the one announced.
        with requests.get(
            url, stream=True, timeout=_TIMEOUTS_S, headers={"Accept-Encoding": "identity"}
        ) as answer:
            _require_ok(url, answer)
            with written_whole(path) as beside:
                _receive(url, answer, beside, check, sha256)
                digest = _digest(beside, "sha256")
                # Before the file itself: a file without its sidecar would not count.
                with written_whole(_sidecar(path)) as line:
                    line.write_text(f"{digest}  {path.name}\n")
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise TransientError(f"{url}: {error}") from error
    except requests.RequestException as error:
        raise InputError(f"{url}: {error}") from error


def _require_ok(url: str, answer: requests.Response) -> None:
    status = answer.status_code
    if status == 200:
        return
    what = f"{url}: the server answers {status} {answer.reason}"
    if status in (404, 410):
        raise NotFoundError(what)
    if status not in _TRANSIENT_STATUS:
        raise InputError(what)
    after = answer.headers.get("Retry-After", "")
    raise _BusyError(what, float(after) if after.isdecimal() else 0.0)


def _receive(
    url: str, answer: requests.Response, beside: Path, check: Check, sha256: str | None
) -> None:
    with beside.open("wb") as file:
        for piece in answer.iter_content(1 << 20):
            file.write(piece)
    # Newer urllib3 sees this itself; the older that requests allows does not.
    length, size = answer.headers.get("Content-Length", ""), beside.stat().st_size
    if length.isdecimal() and int(length) != size:
        raise TransientError(f"{url}: {size} of {length} bytes came")
    if sha256 is not None and _digest(beside, "sha256") != sha256:
        raise TransientError(f"{url}: the SHA-256 is not {sha256}")
    # An ETag of another form (of an upload in parts) is no checksum of the content.
    tag = _MD5.fullmatch(answer.headers.get("ETag", ""))
    if tag and _digest(beside, "md5") != tag[1]:
        raise TransientError(f"{url}: the MD5 is not that of the ETag {tag[1]}")
    try:
        check(beside)
    except InputError as error:
        raise TransientError(f"{url}: what came is not what it should be: {error}") from error


def _digest(path: Path, name: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(name, usedforsecurity=False)
        ).hexdigest()
