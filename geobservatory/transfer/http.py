"""A file at an HTTP address: ranges, redirects, credentials, and what an answer really says."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3

from geobservatory.transfer.source import (
    HubBusyError,
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
    Reply,
)

if TYPE_CHECKING:
    from requests.models import PreparedRequest

_PIECE = 1 << 18
_MOST_REDIRECTS = 10
# Slower than this for a whole `stall_s`, a connection is as good as dead.
_LEAST_BYTES_PER_S = 1024
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_TOO_MANY = ("concurrent flows", "retrieval quota exceeded")
_BEYOND = re.compile(r"bytes \*/(\d{1,18})")

Headers = Callable[[], Mapping[str, str]]


def no_headers() -> Mapping[str, str]:
    """Ask as anybody."""
    return {}


@dataclass(frozen=True)
class HttpSource:
    """A file at an HTTP address; see `Source`.

    Attributes
    ----------
    address
        Of the file.
    headers
        Gives the headers with the credentials, afresh for each request: a token may have been
        renewed meanwhile.
    renew
        Called once when the credentials are refused; the request is then made again.
    trusted
        Hosts besides the address's own that may see the credentials: where a hub logs in.
    login
        Beginning of the address that who is not known is sent to. With credentials, to be sent
        there is to be refused.
    session
        Keeps connections and cookies.
    connect_s, stall_s
        How long a connection may take, and how long nothing (or next to nothing) may come.
    """

    hub: str
    name: str
    address: str
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default=no_headers, repr=False)
    renew: Callable[[], None] | None = field(default=None, repr=False)
    trusted: frozenset[str] = frozenset()
    login: str | None = None
    session: requests.Session = field(default_factory=requests.Session, repr=False)
    connect_s: float = 10.0
    stall_s: float = 60.0

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """Ask for the bytes from `first_byte` up to, not including, `stop`; see `Source.open`."""
        answer = self._ask(first_byte, stop)
        try:
            unknown = answer.status_code == 401 or answer.is_redirect
            if unknown and self.renew is not None:
                answer.close()
                self.renew()
                answer = self._ask(first_byte, stop)
            elif answer.status_code == 403 and answer.history:
                # A signature in an address that it was redirected to has run out.
                answer.close()
                answer = self._ask(first_byte, stop)
            return self._reply(answer, first_byte)
        except BaseException:
            answer.close()
            raise

    def _ask(self, first_byte: int, stop: int | None) -> requests.Response:
        # Compressed on the way, lengths and ranges would not be those of the file.
        wanted = {"Accept-Encoding": "identity"}
        if first_byte or stop is not None:
            wanted["Range"] = f"bytes={first_byte}-{'' if stop is None else stop - 1}"
        address = self.address
        way: list[requests.Response] = []
        for _ in range(_MOST_REDIRECTS):
            answer = self._get(address, wanted)
            answer.history = list(way)
            if not answer.is_redirect:
                return answer
            address = urljoin(address, answer.headers["Location"])
            if self.login is not None and address.startswith(self.login):
                return answer
            answer.close()
            way.append(answer)
            if urlsplit(address).scheme not in ("http", "https"):
                break
        raise HubUnreachableError(f"{self._what()}: it is redirected without end")

    def _get(self, address: str, wanted: Mapping[str, str]) -> requests.Response:
        own = dict(self.headers()) if self._may_know(address) else {}

        def sign(request: "PreparedRequest") -> "PreparedRequest":
            request.headers.update(own)
            return request

        try:
            # Through `auth`, or a password in ~/.netrc would take the place of the header.
            return self.session.get(
                address,
                headers=wanted,
                auth=sign,
                stream=True,
                allow_redirects=False,
                timeout=(self.connect_s, self.stall_s),
            )
        except requests.RequestException as error:
            raise HubUnreachableError(f"{self._what()}: {_reason(error)}") from error

    def _may_know(self, address: str) -> bool:
        """Credentials go to the hub itself and to hosts it logs in at, never in the clear."""
        home, there = urlsplit(self.address), urlsplit(address)
        if home.scheme == "https" and there.scheme != "https":
            return False
        same = (home.hostname, _port(home)) == (there.hostname, _port(there))
        upgraded = home.hostname == there.hostname and (home.scheme, there.scheme) == (
            "http",
            "https",
        )
        return same or upgraded or there.hostname in self.trusted or there.netloc in self.trusted

    def _reply(self, answer: requests.Response, first_byte: int) -> Reply:
        beyond = _BEYOND.fullmatch(answer.headers.get("Content-Range", ""))
        if answer.status_code == 416 and beyond and int(beyond[1]) <= first_byte:
            answer.close()
            return Reply(int(beyond[1]), int(beyond[1]), iter(()), answer.close)
        if answer.status_code not in (200, 206):
            raise self._refusal(answer)
        if "html" in answer.headers.get("Content-Type", "") and not self.name.endswith("html"):
            raise HubUnreachableError(f"{self._what()}: a web page comes in place of the file")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise HubUnreachableError(f"{self._what()}: it comes compressed, unasked")
        length = answer.headers.get("Content-Length", "")
        coming = int(length) if length.isdecimal() else None
        if answer.status_code == 200:
            return Reply(0, coming, self._chunks(answer, coming), answer.close)
        said = answer.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.fullmatch(said)
        if match is None or int(match[1]) != first_byte or int(match[2]) < first_byte:
            raise HubUnreachableError(
                f"{self._what()}: asked from byte {first_byte}, it answers {said!r}"
            )
        total = None if match[3] == "*" else int(match[3])
        # The range, not the length: a length may be off, the range says where each byte belongs.
        coming = int(match[2]) - first_byte + 1
        return Reply(first_byte, total, self._chunks(answer, coming), answer.close)

    def _chunks(self, answer: requests.Response, coming: int | None) -> Iterator[bytes]:
        came, pace = 0, _Pace(self.stall_s)
        try:
            while coming is None or came < coming:
                # What is there, without waiting for more: a stall shows only so.
                piece = answer.raw.read1(_PIECE)
                if not piece:
                    break
                if coming is not None:
                    piece = piece[: coming - came]
                came += len(piece)
                yield piece
                if not pace.bears(len(piece)):
                    raise HubUnreachableError(f"{self._what()}: it stalls after {came} bytes")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise HubUnreachableError(
                f"{self._what()}: broken off after {came} bytes: {_reason(error)}"
            ) from error
        finally:
            answer.close()
        if coming is not None and came < coming:
            raise HubUnreachableError(
                f"{self._what()}: the connection closed after {came} of {coming} bytes"
            )

    def _refusal(self, answer: requests.Response) -> Exception:
        status, after_s = answer.status_code, retry_after_s(answer.headers)
        what = f"{self._what()}: the hub answers {status} {answer.reason}"
        if status == 202 or (status == 422 and "offline" in _beginning(answer)):
            message = f"{what}: it is in the long-term archive and has been asked for"
            return ProductOfflineError(message, after_s)
        if status == 429 or (status == 503 and after_s is not None):
            return HubBusyError(what, after_s)
        # A DHuS forbids what is one too many at a time.
        if status == 403 and any(word in _beginning(answer) for word in _TOO_MANY):
            return HubBusyError(f"{what}: too many at a time, or the quota is used up", after_s)
        if status in (401, 403, 407) or answer.is_redirect:
            return HubRefusedError(f"{what}; check the account in the settings")
        if status in (404, 410):
            return ProductGoneError(what)
        return HubUnreachableError(what)

    def _what(self) -> str:
        return f"{self.name} from {self.hub}"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read when to come again: seconds, or a date (RFC 9110, section 10.2.3).

    A date is taken against the hub's own clock where it tells it: clocks are off.
    """
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after[:9])
    then = _date(after)
    if then is None:
        return None
    now = _date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _beginning(answer: requests.Response) -> str:
    try:
        return answer.raw.read(2000).decode("utf-8", "replace").lower()
    except (urllib3.exceptions.HTTPError, OSError):
        return ""


def _reason(error: BaseException) -> str:
    """Say what failed without the address, which may hold a signature."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    name = type(error).__name__
    words = getattr(error, "strerror", None)
    return f"{name} ({words})" if words else name


class _Pace:
    """Tells when bytes have come too slowly for a whole window of time."""

    def __init__(self, window_s: float) -> None:
        self._window_s, self._began, self._bytes = window_s, time.monotonic(), 0

    def bears(self, count: int) -> bool:
        self._bytes += count
        elapsed = time.monotonic() - self._began
        if elapsed < self._window_s:
            return True
        enough = self._bytes >= _LEAST_BYTES_PER_S * elapsed
        self._began, self._bytes = time.monotonic(), 0
        return enough
