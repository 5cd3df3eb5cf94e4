"""Tokens for clients of a Data Space, which show none of our own: for a name and a password.

An access token is a JSON Web Token (RFC 7519) that lives minutes, signed with a key of this process
(ES256): clients check them with the key that is published. A session lives an hour, in memory:
after a restart clients log in again, as they do at the real one.
"""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from portal.access.identity import Identity

REALM = "/auth/realms/CDSE"
CLIENT = "cdse-public"
_OPENID = f"{REALM}/protocol/openid-connect"
_ACCESS_S, _SESSION_S, _MOST = 600, 3600, 10_000
_ALGORITHM = "ES256"
_LIVE = jwt.JWTClaimsRegistry(exp={"essential": True}, sid={"essential": True})


@dataclass(frozen=True)
class Holder:
    """Whose a session is, and by what they logged in: it ends with that.

    Attributes
    ----------
    password
        The digest that their password was held against.
    token
        The digest of the API token that was shown in its place.
    """

    who: Identity
    password: str | None = None
    token: str | None = None


@dataclass
class _Session:
    holder: Holder
    ends: float


class Tokens:
    """Sessions and their tokens."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(8)
        self._key = ECKey.generate_key("P-256", parameters={"kid": self._name}, private=True)
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def open(self, holder: Holder, issuer: str) -> dict[str, Any]:
        """Begin a session; gives its tokens."""
        now = time.time()
        with self._lock:
            self._sessions = {name: one for name, one in self._sessions.items() if one.ends > now}
            while len(self._sessions) >= _MOST:
                del self._sessions[next(iter(self._sessions))]
            name = secrets.token_hex(16)
            self._sessions[name] = _Session(holder, now + _SESSION_S)
        return self._tokens(name, issuer)

    def session(self, refresh_token: str) -> str | None:
        """Find the session that a token refreshes."""
        return self._live(refresh_token, "Refresh")

    def holder(self, session: str) -> Holder:
        """Tell whose a session is."""
        return self._sessions[session].holder

    def renew(self, session: str, issuer: str) -> dict[str, Any]:
        """Give a session's next tokens."""
        return self._tokens(session, issuer)

    def end(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session, None)

    def identify(self, token: str) -> Holder | None:
        """Find whose access token this is; None where it is none of ours, or ran out."""
        name = self._live(token, "Bearer")
        session = None if name is None else self._sessions.get(name)
        return None if session is None else session.holder

    def is_ours(self, token: str) -> bool:
        """Tell whether a token is of the kind that is made here."""
        return token.count(".") == 2

    def keys(self) -> dict[str, Any]:
        """Publish the key that tokens are checked with."""
        public = self._key.as_dict(private=False)
        return {"keys": [{**public, "kid": self._name, "alg": _ALGORITHM, "use": "sig"}]}

    def _live(self, token: str, kind: str) -> str | None:
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
            _LIVE.validate(claims)
        except (JoseError, ValueError, TypeError):
            return None
        name = str(claims["sid"])
        session = self._sessions.get(name)
        live = session is not None and session.ends > time.time()
        return name if live and claims.get("typ") == kind else None

    def _tokens(self, name: str, issuer: str) -> dict[str, Any]:
        session, now = self._sessions[name], int(time.time())
        who = session.holder.who.name
        access_s = max(1, min(_ACCESS_S, int(session.ends - now)))
        claims = {"iat": now, "iss": issuer, "azp": CLIENT, "sid": name, "sub": who}
        access = {
            **claims,
            "exp": now + access_s,
            "jti": secrets.token_hex(8),
            "typ": "Bearer",
            "preferred_username": who,
        }
        refresh = {
            **claims,
            "exp": int(session.ends),
            "jti": secrets.token_hex(8),
            "typ": "Refresh",
        }
        return {
            "access_token": self._signed(access),
            "expires_in": access_s,
            "refresh_expires_in": int(session.ends - now),
            "refresh_token": self._signed(refresh),
            "token_type": "Bearer",
            "session_state": name,
        }

    def _signed(self, claims: Mapping[str, Any]) -> str:
        head = {"alg": _ALGORITHM, "typ": "JWT", "kid": self._name}
        return jwt.encode(head, dict(claims), self._key)


def openid_configuration(base: str) -> dict[str, Any]:
    """Describe the service, as clients look it up (OpenID Connect Discovery 1.0)."""
    openid = base + _OPENID
    return {
        "issuer": base + REALM,
        "authorization_endpoint": f"{openid}/auth",
        "token_endpoint": f"{openid}/token",
        "jwks_uri": f"{openid}/certs",
        "grant_types_supported": ["refresh_token", "password"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [_ALGORITHM],
        "token_endpoint_auth_methods_supported": ["none"],
    }
