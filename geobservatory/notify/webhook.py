"""Notices as JSON, posted to an address and signed as the Standard Webhooks have it.

https://www.standardwebhooks.com, version 1: libraries in many languages verify it.
"""

import base64
import hashlib
import hmac
import json
import socket
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from geobservatory.catalog.notices import Notice
from geobservatory.errors import ConfigurationError, GeobservatoryError
from geobservatory.notify.message import Message
from geobservatory.notify.render import as_text
from geobservatory.notify.sending import DownError, UncertainError
from geobservatory.settings.model import Notification
from geobservatory.transfer.http import retry_after_s

_TIMEOUT_S = 60.0
# For all together, however slowly a server speaks; less than the lease of a notice.
_WHOLE_S = 300.0
_LONGEST_PAUSE_S = 6 * 3600.0


def post(settings: Notification, notice: Notice, hand_over: Callable[[], None]) -> None:
    """Post a notice to the configured address, which stands in no message, log or table.

    Its identifier (``webhook-id``, ``Idempotency-Key`` and ``id``) is the same however often it is
    posted. Redirections are not followed.

    Parameters
    ----------
    hand_over
        Called when the receiver is connected; if it raises, nothing is sent.

    Raises
    ------
    DownError
        If the receiver cannot be reached, or asks to be asked later.
    UncertainError
        If it fell silent with the message in its hands.
    GeobservatoryError
        If it refuses for good.
    ConfigurationError
        If there is no address, or what there is cannot be one.
    """
    if settings.webhook is None:
        raise ConfigurationError("notification.webhook is not set")
    connection, target = _open(settings.webhook.get_secret_value())
    body = json.dumps(_body(notice)).encode()
    headers = _headers(settings, notice.token, body)
    with closing(connection):
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            # Nothing of the address is repeated.
            raise DownError(f"the webhook cannot be reached: {type(error).__name__}") from None
        last = Timer(_WHOLE_S, _cut, (connection,))
        last.daemon = True
        last.start()
        hand_over()
        try:
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
        except (OSError, HTTPException) as error:
            said = f"the webhook fell silent with the message: {type(error).__name__}"
            raise UncertainError(said) from None
        finally:
            last.cancel()
    if 200 <= answer.status < 300:
        return
    said = f"the webhook answers {answer.status}"
    if answer.status in (408, 425, 429) or answer.status >= 500:
        told = {name: answer.headers.get(name, "") for name in ("Retry-After", "Date")}
        raise DownError(said, min(retry_after_s(told) or 0.0, _LONGEST_PAUSE_S))
    raise GeobservatoryError(said)


def sign(secret: str, identifier: str, at: datetime, body: bytes) -> str:
    """Sign a body.

    Parameters
    ----------
    secret
        ``whsec_`` and base64 of the key, or the key as text.
    """
    signed = b".".join([identifier.encode(), str(int(at.timestamp())).encode(), body])
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ConfigurationError(
            "notification.webhook_secret begins with whsec_, but what follows is not base64"
        ) from None


def _body(notice: Notice) -> dict[str, Any]:
    said = Message.from_content(notice.content)
    return {
        "id": str(notice.token),
        "type": notice.kind,
        "timestamp": notice.created_at.isoformat(),
        "activation": notice.activation_id,
        "key": notice.key,
        "subject": said.subject,
        # What Slack, Mattermost and the like show.
        "text": f"{said.subject}\n\n{as_text(said)}",
        "link": said.link,
        "data": said.details,
    }


def _headers(settings: Notification, token: UUID, body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "geobservatory",
        "Idempotency-Key": str(token),
        "webhook-id": str(token),
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if settings.webhook_secret is not None:
        secret = settings.webhook_secret.get_secret_value()
        headers["webhook-signature"] = sign(secret, str(token), now, body)
    return headers


def _open(address: str) -> tuple[HTTPConnection, str]:
    """Read an address: whom to connect to, and what to ask for there."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        usable = bool(host) and address.isascii() and address.isprintable() and " " not in address
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ConfigurationError(
            "notification.webhook is no address; it is http(s)://host[:port]/path, without account"
        )
    if parts.scheme == "http":
        return HTTPConnection(str(host), port, timeout=_TIMEOUT_S), target
    context = ssl.create_default_context()
    return HTTPSConnection(str(host), port, timeout=_TIMEOUT_S, context=context), target


def _cut(connection: HTTPConnection) -> None:
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
