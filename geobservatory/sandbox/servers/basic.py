"""Basic authentication (RFC 7617)."""

import base64
import binascii
from collections.abc import Mapping

from aiohttp import web


def basic_user(request: web.Request, accounts: Mapping[str, str]) -> str | None:
    """Find whose credentials a request has, in accounts of user to password; None for nobody's."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    known = scheme.lower() == "basic" and user in accounts and accounts[user] == password
    return user if known else None
