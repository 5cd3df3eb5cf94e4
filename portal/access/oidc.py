"""Login at an OpenID provider: authorization code with PKCE, state and nonce.

OpenID Connect Core 1.0, section 3.1; RFC 7636. What has to come back with the browser is kept in
a signed cookie of ten minutes, so that an answer is of use to the browser that asked, and no other.
"""

import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from geobservatory.errors import GeobservatoryError, TransientError
from geobservatory.settings.portal import OpenIdConnect, Role
from portal.access.doorkeeper import role_by

# Signatures by keys that the provider publishes; never `none`, never a secret that both know.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_LIMIT_S = 10.0
_KEPT_S = 3600.0
_CLOCKS_DIFFER_S = 60
_MOST_BYTES = 1_000_000


class LoginRefusedError(GeobservatoryError):
    """The provider's answer does not let anybody in."""


@dataclass(frozen=True)
class Begun:
    """What a login was begun with; comes back in a cookie."""

    state: str
    nonce: str
    verifier: str
    next: str


@dataclass(frozen=True)
class Vouched:
    """Whom a provider vouches for."""

    subject: str
    name: str
    role: Role


class Provider:
    """An OpenID provider.

    Parameters
    ----------
    wanted
        The settings.
    back
        Where it sends people back to.
    """

    def __init__(self, wanted: OpenIdConnect, back: str) -> None:
        self._wanted, self._back = wanted, back
        self._lock = threading.Lock()
        self._read: tuple[float, dict[str, Any], KeySet] | None = None

    def begin(self, next_path: str) -> tuple[str, Begun]:
        """Begin a login.

        Returns
        -------
        address, begun
            Where the browser goes, and what is to come back with it.

        Raises
        ------
        TransientError
            If the provider does not answer.
        """
        document, _ = self._document()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        with self._session() as session:
            address, state = session.create_authorization_url(
                document["authorization_endpoint"], nonce=nonce, code_verifier=verifier
            )
        return address, Begun(state, nonce, verifier, next_path)

    def end(self, begun: Begun, query: str) -> Vouched:
        """Take the answer of the provider, and find out whom it vouches for.

        Parameters
        ----------
        query
            Of the address that the browser was sent back to.

        Raises
        ------
        LoginRefusedError
            If it is not the answer to this login, or not the provider's.
        TransientError
            If the provider does not answer.
        """
        document, keys = self._document()
        try:
            with self._session(state=begun.state) as session:
                answer = session.fetch_token(
                    document["token_endpoint"],
                    authorization_response=f"{self._back}?{query}",
                    code_verifier=begun.verifier,
                    timeout=_LIMIT_S,
                )
                claims = self._claims(answer.get("id_token"), begun.nonce, keys)
                claims = {**self._asked(session, document, claims), **claims}
        except requests.RequestException as error:
            raise TransientError(f"{self._wanted.name} does not answer") from error
        except (AuthlibBaseError, ValueError) as error:
            raise LoginRefusedError(f"{self._wanted.name} refused the login") from error
        return self._vouched(claims)

    def _asked(
        self, session: OAuth2Session, document: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """Ask for the claims that the identity token lacks (section 5.3)."""
        wanted = {self._wanted.name_claim, self._wanted.role_claim} - {None}
        if wanted <= claims.keys() or "userinfo_endpoint" not in document:
            return {}
        told = session.get(document["userinfo_endpoint"], timeout=_LIMIT_S)
        told.raise_for_status()
        found: dict[str, Any] = told.json()
        if found.get("sub") != claims["sub"]:
            raise LoginRefusedError(f"{self._wanted.name} speaks of somebody else")
        return found

    def _claims(self, id_token: object, nonce: str, keys: KeySet) -> dict[str, Any]:
        """Check an identity token (OpenID Connect Core 1.0, 3.1.3.7)."""
        try:
            token = jwt.decode(str(id_token), keys, algorithms=list(_ALGORITHMS))
            jwt.JWTClaimsRegistry(
                leeway=_CLOCKS_DIFFER_S,
                iss={"essential": True, "value": self._wanted.issuer},
                aud={"essential": True, "value": self._wanted.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(token.claims)
        except (JoseError, ValueError) as error:
            raise LoginRefusedError(
                f"what {self._wanted.name} says is not to be trusted"
            ) from error
        claims: dict[str, Any] = token.claims
        if claims.get("azp", self._wanted.client_id) != self._wanted.client_id:
            raise LoginRefusedError(f"{self._wanted.name} speaks to somebody else")
        return claims

    def _vouched(self, claims: dict[str, Any]) -> Vouched:
        wanted = self._wanted
        told = claims.get(wanted.role_claim) if wanted.role_claim else None
        values = [str(one) for one in (told if isinstance(told, list) else [told])]
        role = role_by(wanted.roles, wanted.default_role, values)
        name = str(claims.get(wanted.name_claim) or claims["sub"])
        if role is None:
            raise LoginRefusedError(f"{name} has no role here")
        # Names change and are given again; who is meant is issuer and subject (section 5.7).
        return Vouched(f"{wanted.issuer} {claims['sub']}", name, role)

    def _session(self, **more: Any) -> OAuth2Session:
        secret = self._wanted.client_secret
        return OAuth2Session(
            self._wanted.client_id,
            secret.get_secret_value() if secret else None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=self._wanted.scope,
            redirect_uri=self._back,
            code_challenge_method="S256",
            **more,
        )

    def _document(self) -> tuple[dict[str, Any], KeySet]:
        """Read what the provider says of itself, and its keys; once an hour."""
        with self._lock:
            if self._read is None or time.monotonic() - self._read[0] > _KEPT_S:
                issuer = self._wanted.issuer
                document = _json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if document.get("issuer") != issuer:
                    raise LoginRefusedError(f"{issuer} calls itself {document.get('issuer')!r}")
                keys = KeySet.import_key_set(_json(str(document["jwks_uri"])))  # type: ignore[arg-type]
                self._read = time.monotonic(), document, keys
            return self._read[1], self._read[2]


def _json(address: str) -> dict[str, Any]:
    try:
        with requests.get(address, timeout=_LIMIT_S, allow_redirects=False, stream=True) as answer:
            answer.raise_for_status()
            content = answer.raw.read(_MOST_BYTES, decode_content=True)
        found = json.loads(content)
    except (requests.RequestException, OSError, ValueError) as error:
        raise TransientError(f"{address} does not answer as an OpenID provider does") from error
    if not isinstance(found, dict):
        raise TransientError(f"{address} does not answer as an OpenID provider does")
    return found
