"""The identity service of the Copernicus Data Space: OpenID Connect tokens that run out.

Every password grant is a session of its own; an access token lives minutes, and is refreshed until
the session ends. Who opens too many sessions is banned for a while.

Tokens are JSON Web Tokens (RFC 7519) signed with HMAC, whose key is published among the keys: here
there is nothing to protect, and clients check them as they check the real ones.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geobservatory.errors import InputError

REALM = "/auth/realms/CDSE"
_OPENID = f"{REALM}/protocol/openid-connect"
CLIENT = "cdse-public"


class TokenRefusedError(InputError):
    """A token is wrong, or has run out."""


@dataclass
class _Session:
    user: str
    ends: float
    refresh: str = ""


class Identity:
    """Accounts, their sessions, and the tokens of those; times are real seconds since 1970.

    Parameters
    ----------
    accounts
        User to password.
    access_s
        Life of an access token.
    session_s
        Life of a session.
    max_sessions
        How many a user may have open; one more gets the user banned.
    ban_s
        For how long.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        access_s: float,
        session_s: float,
        max_sessions: int,
        ban_s: float,
    ) -> None:
        self._accounts = dict(accounts)
        self._access_s, self._session_s = access_s, session_s
        self._max_sessions, self._ban_s = max_sessions, ban_s
        self._sessions: dict[str, _Session] = {}
        self._banned: dict[str, float] = {}
        self._key = secrets.token_bytes(32)

    def grant(self, form: Mapping[str, str], issuer: str, now: float) -> tuple[int, dict[str, Any]]:
        """Answer a request for tokens, with a status and a body."""
        if form.get("client_id") != CLIENT:
            return 401, _error("invalid_client", "Invalid client or Invalid client credentials")
        match form.get("grant_type"):
            case "password":
                return self._open(form, issuer, now)
            case "refresh_token":
                return self._refresh(form.get("refresh_token", ""), issuer, now)
        return 400, _error("unsupported_grant_type", "Unsupported grant_type")

    def user_of(self, token: str, now: float) -> str:
        """Find whose access token this is; `TokenRefusedError` if it is none, or ran out."""
        claims = self._claims(token)
        session = self._sessions.get(str(claims.get("sid")))
        if claims.get("typ") != "Bearer":
            raise TokenRefusedError("Token is invalid")
        if session is None or claims["exp"] <= now or session.ends <= now:
            raise TokenRefusedError("Token is expired")
        return session.user

    def sessions(self, user: str, now: float) -> int:
        """Count a user's open sessions."""
        return sum(one.user == user and one.ends > now for one in self._sessions.values())

    def keys(self) -> dict[str, Any]:
        """Publish the key that tokens are checked with."""
        key = {"kid": "sandbox", "kty": "oct", "alg": "HS256", "use": "sig", "k": _b64(self._key)}
        return {"keys": [key]}

    def _open(self, form: Mapping[str, str], issuer: str, now: float) -> tuple[int, dict[str, Any]]:
        user = form.get("username", "")
        if user not in self._accounts or form.get("password") != self._accounts[user]:
            return 401, _error("invalid_grant", "Invalid user credentials")
        if self._banned.get(user, 0) > now:
            return 403, _error("access_denied", "Account is temporarily disabled")
        self._sessions = {sid: one for sid, one in self._sessions.items() if one.ends > now}
        if self.sessions(user, now) >= self._max_sessions:
            self._banned[user] = now + self._ban_s
            self._sessions = {sid: one for sid, one in self._sessions.items() if one.user != user}
            return 403, _error("access_denied", "Too many sessions: account temporarily disabled")
        sid = secrets.token_hex(16)
        self._sessions[sid] = _Session(user, now + self._session_s)
        return 200, self._tokens(sid, issuer, now)

    def _refresh(self, token: str, issuer: str, now: float) -> tuple[int, dict[str, Any]]:
        try:
            claims = self._claims(token)
        except TokenRefusedError:
            return 400, _error("invalid_grant", "Invalid refresh token")
        session = self._sessions.get(str(claims.get("sid")))
        if session is None or session.ends <= now or claims.get("typ") != "Refresh":
            return 400, _error("invalid_grant", "Token is not active")
        return 200, self._tokens(str(claims["sid"]), issuer, now)

    def _tokens(self, sid: str, issuer: str, now: float) -> dict[str, Any]:
        session = self._sessions[sid]
        access_s = min(self._access_s, session.ends - now)
        claims = {"iat": int(now), "iss": issuer, "azp": CLIENT, "sid": sid, "sub": session.user}
        access = {
            **claims,
            "exp": now + access_s,
            "jti": secrets.token_hex(8),
            "aud": ["CLOUDFERRO_PUBLIC", "account"],
            "typ": "Bearer",
            "scope": "AUDIENCE_PUBLIC openid email profile",
            "preferred_username": session.user,
        }
        refresh = {**claims, "exp": session.ends, "jti": secrets.token_hex(8), "typ": "Refresh"}
        return {
            "access_token": self._signed(access),
            "expires_in": int(access_s),
            "refresh_expires_in": int(session.ends - now),
            "refresh_token": self._signed(refresh),
            "token_type": "Bearer",
            "not-before-policy": 0,
            "session_state": sid,
            "scope": access["scope"],
        }

    def _signed(self, claims: Mapping[str, Any]) -> str:
        head = {"alg": "HS256", "typ": "JWT", "kid": "sandbox"}
        text = ".".join(_b64(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_b64(self._mac(text))}"

    def _claims(self, token: str) -> dict[str, Any]:
        text, _, signature = token.rpartition(".")
        try:
            if not hmac.compare_digest(_b64(self._mac(text)), signature):
                raise ValueError
            claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        except (ValueError, TypeError, IndexError) as error:
            raise TokenRefusedError("Token is invalid") from error
        return dict(claims)

    def _mac(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(), hashlib.sha256).digest()


def openid_configuration(base: str) -> dict[str, Any]:
    """Describe the service, as clients look it up; the names of the real one's description."""
    openid = base + _OPENID
    return {
        "issuer": base + REALM,
        "authorization_endpoint": f"{openid}/auth",
        "token_endpoint": f"{openid}/token",
        "jwks_uri": f"{openid}/certs",
        "grant_types_supported": ["refresh_token", "password"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }


def _error(error: str, description: str) -> dict[str, Any]:
    return {"error": error, "error_description": description}


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
