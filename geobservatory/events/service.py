"""Ask an agency's web service for JSON: bounded, patient, and never twice for what is the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from geobservatory.errors import TransientError

_CONNECT_S, _SILENCE_S = 10.0, 30.0
_MOST_BYTES = 64 << 20


class BusyError(TransientError):
    """The service says when to come back; `after_s` is None where it does not."""

    def __init__(self, message: str, after_s: float | None) -> None:
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True)
class Answer:
    """What a service said.

    Attributes
    ----------
    document
        The JSON; None where there is nothing (204), or nothing new (304).
    mark
        Headers to send next time, so that the service need not repeat itself.
    """

    document: Any
    mark: Mapping[str, str]


def ask(
    session: requests.Session,
    address: str,
    parameters: Mapping[str, str] | None = None,
    mark: Mapping[str, str] | None = None,
) -> Answer:
    """Ask once.

    Raises
    ------
    BusyError
        If the service asks for patience (429, 503).
    TransientError
        If it does not answer, or with anything but JSON.
    """
    try:
        with session.get(
            address,
            params=parameters,
            headers=mark,
            stream=True,
            timeout=(_CONNECT_S, _SILENCE_S),
        ) as answer:
            if answer.status_code == 204:
                return Answer(None, {})
            if answer.status_code == 304:
                # A copy: whoever asked may change its own.
                return Answer(None, dict(mark or {}))
            if answer.status_code in (429, 503):
                after = answer.headers.get("Retry-After", "")
                wait = float(after) if after.isdecimal() and len(after) < 6 else None
                raise BusyError(f"{address}: it answers {answer.status_code}", wait)
            if answer.status_code != 200:
                raise TransientError(f"{address}: it answers {answer.status_code}")
            content = _whole(address, answer)
            return Answer(_parsed(address, content), _mark(answer.headers))
    except requests.RequestException as error:
        # Without the error's own text, which may repeat more of the address than is good.
        raise TransientError(f"{address}: {type(error).__name__}") from error


def _whole(address: str, answer: requests.Response) -> bytes:
    pieces, size = [], 0
    for piece in answer.iter_content(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise TransientError(f"{address}: an answer without end ({size >> 20} MiB so far)")
    return b"".join(pieces)


def _parsed(address: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TransientError(f"{address}: the answer is not JSON") from error


def _mark(headers: Mapping[str, str]) -> dict[str, str]:
    asked = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
    return {asked[name]: headers[name] for name in asked if name in headers}
