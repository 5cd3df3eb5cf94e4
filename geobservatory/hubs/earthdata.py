"""Where an archive like the ASF's has its parts, and how one logs in there.

Source: Earthdata Login, API documentation (user tokens); the archive's hosts are those of
`asf_search` 14. User and password go to the login alone, which gives a token for them.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from urllib.parse import urlsplit

import requests

from geobservatory.errors import ConfigurationError
from geobservatory.hubs.asking import CONNECT_S, SILENCE_S, answered, failed
from geobservatory.settings.model import Hub
from geobservatory.transfer.source import HubUnreachableError

_REAL = "cmr.earthdata.nasa.gov"
_ARCHIVE = ".asf.alaska.edu"


@dataclass(frozen=True)
class Places:
    """Addresses of an archive's parts, without a slash at the end.

    Attributes
    ----------
    catalogue
        Where is searched.
    login
        Where user and password are taken.
    bursts
        Where single bursts are cut out.
    trusted
        Hosts of downloads that take tokens, as `HttpSource.trusted` has them.
    """

    catalogue: str
    login: str
    bursts: str
    trusted: frozenset[str]

    def owns(self, address: str) -> bool:
        """Tell whether a download is the archive's own: only there credentials are sent."""
        there, home = urlsplit(address), urlsplit(self.catalogue)
        if home.hostname == _REAL:
            host = there.hostname or ""
            return there.scheme == "https" and host.endswith(_ARCHIVE)
        return (there.scheme, there.netloc) == (home.scheme, home.netloc)


def find_places(address: str) -> Places:
    """Find the parts of an archive by the address in the settings.

    The real one has a host for each; any other has them all at its one address.
    """
    base = address.rstrip("/")
    if urlsplit(base).hostname != _REAL:
        return Places(base, base, base, frozenset())
    names = ("datapool", "sentinel1", "sentinel1-burst", "cumulus", "auth")
    return Places(
        catalogue=base,
        login="https://urs.earthdata.nasa.gov",
        bursts=f"https://sentinel1-burst{_ARCHIVE}",
        trusted=frozenset(f"{name}{_ARCHIVE}" for name in names),
    )


class Earthdata:
    """An account: the token of the settings, or one that the login gives for user and password.

    Parameters
    ----------
    hub
        Whose account it is.
    places
        Where the login is.

    Raises
    ------
    ConfigurationError
        If of user and password one is missing.
    """

    def __init__(self, hub: Hub, places: Places) -> None:
        if (hub.user is None) != (hub.password is None):
            raise ConfigurationError(f"hub {hub.name}: user and password go together")
        self._hub, self._places = hub, places
        self._lock = Lock()
        self._token = None if hub.token is None else hub.token.get_secret_value()

    @property
    def renewable(self) -> bool:
        """Whether there can be another token: a token of the settings is the only one."""
        return self._hub.token is None and self._hub.user is not None

    def headers(self) -> Mapping[str, str]:
        """Give the credentials of a download; none where the settings have none.

        Raises
        ------
        HubRefusedError
            If the login does not take user and password.
        HubUnreachableError, HubBusyError
            If the login does not answer as it should.
        """
        if self._hub.token is None and self._hub.user is None:
            return {}
        with self._lock:
            if self._token is None:
                self._token = self._fetch()
            return {"Authorization": f"Bearer {self._token}"}

    def ask(self) -> None:
        """Ask the login for a token, though the one at hand may still be good.

        Raises
        ------
        ConfigurationError
            If there is no account to get one for.
        HubRefusedError, HubUnreachableError, HubBusyError
            See `headers`.
        """
        if not self.renewable:
            raise ConfigurationError(f"hub {self._hub.name}: no account to get tokens for")
        with self._lock:
            self._token = self._fetch()

    def renew(self) -> None:
        """Forget the token that was refused."""
        with self._lock:
            self._token = None

    def _fetch(self) -> str:
        assert self._hub.password is not None  # noqa: S101
        pair = f"{self._hub.user}:{self._hub.password.get_secret_value()}".encode()
        basic = f"Basic {b64encode(pair).decode()}"

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = basic
            return request

        try:
            # Not redirected: the password is for the login, and for nobody it sends us to.
            answer = requests.post(
                f"{self._places.login}/api/users/find_or_create_token",
                auth=sign,
                allow_redirects=False,
                timeout=(CONNECT_S, SILENCE_S),
            )
        except requests.RequestException as error:
            raise failed(self._hub.name, error) from error
        answered(self._hub.name, answer)
        try:
            token = json.loads(answer.content)["access_token"]
        except (ValueError, KeyError, TypeError) as error:
            raise HubUnreachableError(
                f"{self._hub.name}: the login answers with something else than a token"
            ) from error
        # What is no word of printable characters would break the header, or smuggle in another.
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise HubUnreachableError(f"{self._hub.name}: the login gives a token that is none")
        return token
