"""EMSC: earthquakes as they are located, over a WebSocket; what was missed, over FDSN.

Messages are ``{"action": …, "data": Feature}``; the Feature's properties hold ``unid`` (the same
across revisions), ``lastupdate``, ``time``, ``lat``, ``lon``, ``depth`` (kilometres, positive
down), ``mag``, ``magtype``, ``flynn_region`` and ``evtype`` (``ke`` and ``se`` are known and
suspected earthquakes, others are blasts and the like). The FDSN service answers with the same
Features.
"""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from geobservatory.errors import InputError, TransientError
from geobservatory.events.report import (
    Report,
    Retraction,
    checked_name,
    make_report,
    utc_time,
)
from geobservatory.events.service import ask

SOURCE = "EMSC"
_EARTHQUAKES = ("ke", "se", "", None)
# It closes a WebSocket that is silent; a ping about every 15 s keeps it open.
_PING_S, _PONG_S, _OPEN_S = 15.0, 20.0, 10.0
_LARGEST_MESSAGE = 1 << 20
_PAGE, _MOST_PAGES = 1000, 20
# Revisions come for days after an earthquake; those of older ones are not asked for.
_REVISED_FOR = timedelta(days=30)


def parse_message(text: str | bytes) -> Report | Retraction:
    """Read a message of the WebSocket.

    Raises
    ------
    InputError
        If it is none; the message says what is wrong with it.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("data"), dict):
        raise InputError("not a message: no data")
    match message.get("action"):
        case "create" | "update":
            return parse_feature(message["data"])
        case "delete":
            return _retraction(_properties(message["data"]), "deleted by EMSC")
        case other:
            raise InputError(f"not a message: its action is {str(other)[:40]!r}")


def parse_feature(feature: Any) -> Report | Retraction:
    """Read a Feature of the WebSocket or of the FDSN service.

    Raises
    ------
    InputError
        If something in it is missing or cannot be.
    """
    given = _properties(feature)
    kind = given.get("evtype")
    if kind not in _EARTHQUAKES:
        return _retraction(given, f"not an earthquake for EMSC, but of type {str(kind)[:10]}")
    return make_report(
        SOURCE,
        given.get("unid"),
        time=utc_time(given.get("time")),
        updated=utc_time(given.get("lastupdate")),
        longitude=given.get("lon"),
        latitude=given.get("lat"),
        depth_km=given.get("depth"),
        magnitude=given.get("mag"),
        magnitude_type=given.get("magtype"),
        place=given.get("flynn_region"),
    )


def listen(
    address: str, opened: Callable[[], None], stop: threading.Event
) -> Iterator[str | bytes]:
    """Give the messages of one connection as they come, until it ends or `stop` is set.

    Parameters
    ----------
    address
        ``wss://…``
    opened
        Called when the connection stands: from now on nothing is missed.

    Raises
    ------
    TransientError
        If the connection breaks or cannot be made.
    """
    try:
        with connect(
            address,
            open_timeout=_OPEN_S,
            ping_interval=_PING_S,
            ping_timeout=_PONG_S,
            close_timeout=1,
            max_size=_LARGEST_MESSAGE,
        ) as socket:
            opened()
            while not stop.is_set():
                try:
                    yield socket.recv(timeout=0.5)
                except TimeoutError:
                    continue
    except (OSError, TimeoutError, WebSocketException, EOFError) as error:
        raise TransientError(f"{address}: {type(error).__name__}: {str(error)[:200]}") from error


def revised_since(session: requests.Session, address: str, since: datetime) -> list[Any]:
    """Ask the FDSN service for what has been made or revised since a time, the oldest first.

    Raises
    ------
    TransientError
        If it does not answer as it should.
    """
    features: list[Any] = []
    for page in range(_MOST_PAGES):
        answer = ask(
            session,
            address,
            {
                "format": "json",
                "start": f"{since - _REVISED_FOR:%Y-%m-%dT%H:%M:%S}",
                "updatedafter": f"{since:%Y-%m-%dT%H:%M:%S}",
                "limit": str(_PAGE),
                "offset": str(page * _PAGE + 1),
                "orderby": "time",
            },
        )
        if answer.document is None:
            break
        found = answer.document.get("features") if isinstance(answer.document, dict) else None
        if not isinstance(found, list):
            raise TransientError(f"{address}: the answer lists no features")
        features += found
        if len(found) < _PAGE:
            break
    return features[::-1]


def _properties(feature: Any) -> dict[str, Any]:
    given = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(given, dict):
        raise InputError("not a Feature: no properties")
    return given


def _retraction(given: dict[str, Any], why: str) -> Retraction:
    updated = utc_time(given.get("lastupdate"))
    return Retraction(SOURCE, (checked_name(given.get("unid")),), updated, why)
