"""Ask a hub a question over HTTP and take its answer as JSON, in the errors of a transfer."""

import json
import time
from collections.abc import Mapping
from typing import Any

import requests

from geobservatory.transfer.http import Headers, no_headers, retry_after_s
from geobservatory.transfer.source import (
    HubBusyError,
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
)

CONNECT_S, SILENCE_S = 10.0, 30.0
_MOST_BYTES = 256 << 20
_ASKED_AGAIN = 3


def ask(
    session: requests.Session,
    hub: str,
    address: str,
    parameters: Mapping[str, str] | None = None,
    headers: Headers = no_headers,
) -> Any:
    """Ask, and give the JSON of the answer.

    A connection that breaks, a 5xx and a 429 that passes within seconds are asked again, three
    times in all.

    Raises
    ------
    HubUnreachableError, HubBusyError, HubRefusedError
        As their names say; a web page in place of JSON is a hub that cannot be reached.
    ProductGoneError
        If what is asked for is not there (404).
    """
    for turn in range(_ASKED_AGAIN):
        try:
            return _ask(session, hub, address, parameters, headers)
        except (HubUnreachableError, HubBusyError) as error:
            pause = getattr(error, "retry_after_s", None)
            pause = 0.3 * 3**turn if pause is None else pause
            if turn == _ASKED_AGAIN - 1 or pause > SILENCE_S / 3:
                raise
            time.sleep(pause)
    raise AssertionError


def answered(hub: str, answer: requests.Response) -> None:
    """Raise what an answer that is no success means.

    Raises
    ------
    HubUnreachableError, HubBusyError, HubRefusedError, ProductGoneError
        See `ask`.
    """
    status = answer.status_code
    if status < 300:
        return
    what = f"{hub}: the hub answers {status} {answer.reason}"
    if status in (401, 403, 407):
        raise HubRefusedError(f"{what}; check the account in the settings")
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        raise HubBusyError(what, retry_after_s(answer.headers))
    if status in (404, 410):
        raise ProductGoneError(what)
    raise HubUnreachableError(what)


def failed(hub: str, error: requests.RequestException) -> HubUnreachableError:
    """Say what failed without the address, which may hold a password."""
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    return HubUnreachableError(f"{hub}: {type(error).__name__}: {type(cause).__name__}")


def _ask(
    session: requests.Session,
    hub: str,
    address: str,
    parameters: Mapping[str, str] | None,
    headers: Headers,
) -> Any:
    own = headers()

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(own)
        return request

    try:
        with session.get(
            address,
            params=parameters,
            # Through `auth`, or a password in ~/.netrc would take the place of the header.
            auth=sign,
            stream=True,
            timeout=(CONNECT_S, SILENCE_S),
        ) as answer:
            answered(hub, answer)
            content = _whole(hub, answer)
    except requests.RequestException as error:
        raise failed(hub, error) from error
    try:
        return json.loads(content)
    except ValueError as error:
        kind = answer.headers.get("Content-Type", "nothing known").split(";")[0]
        raise HubUnreachableError(f"{hub}: it answers with {kind} in place of JSON") from error


def _whole(hub: str, answer: requests.Response) -> bytes:
    pieces, size = [], 0
    for piece in answer.iter_content(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise HubUnreachableError(f"{hub}: an answer without end ({size >> 20} MiB so far)")
    return b"".join(pieces)
