"""Access tokens of OpenID Connect: one session an account, shared by all processes of a machine.

Each login opens a session, and too many sessions get an account banned for a while (eodag issue
858). So the tokens of an account lie in one private file; whoever finds the access token near its
end renews it under a lock, and the others take what it got.

Source: OpenID Connect Core 1.0, section 12; the Copernicus Data Space's documentation of tokens.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from geobservatory.hubs.asking import CONNECT_S, SILENCE_S, answered, failed
from geobservatory.transfer.source import HubRefusedError, HubUnreachableError

_CLIENT = "cdse-public"
# A token this near its end is renewed before it is used.
_EARLY_S = 60.0
# A short-lived token is renewed when this part of its life is left.
_EARLY_SHARE = 0.2


@dataclass(frozen=True)
class _Tokens:
    access: str
    until_s: float
    refresh: str
    refresh_until_s: float
    early_s: float


class TokenKeeper:
    """Keeps the access token of an account.

    Parameters
    ----------
    hub
        Its name, for messages.
    address
        Of the token endpoint.
    user, password
        The account.
    folder
        Where the file of the tokens lies; made for its owner alone.
    """

    def __init__(self, hub: str, address: str, user: str, password: str, folder: Path) -> None:
        self._hub, self._address = hub, address
        self._user, self._password = user, password
        name = hashlib.sha256(f"{address}\n{user}".encode()).hexdigest()[:16]
        self._file = folder / f"{name}.json"
        self._session = requests.Session()

    def header(self) -> str:
        """Give the value of ``Authorization`` that proves who asks.

        Raises
        ------
        HubRefusedError
            If user and password are not taken.
        HubUnreachableError, HubBusyError
            If the token service does not answer, or says to come later.
        """
        tokens = self._read()
        if tokens is None or not _fresh(tokens):
            with self._alone():
                tokens = self._read()
                if tokens is None or not _fresh(tokens):
                    tokens = self._renewed(tokens)
        return f"Bearer {tokens.access}"

    def renew(self) -> None:
        """Get a new token in the session that is open, though the old one may be good still.

        Raises
        ------
        HubRefusedError, HubUnreachableError, HubBusyError
            As `header` does.
        """
        with self._alone():
            self._renewed(self._read())

    def refused(self, header: str) -> None:
        """Take note that a hub refused a header; a token that was renewed meanwhile stays."""
        with self._alone():
            tokens = self._read()
            if tokens is not None and header == f"Bearer {tokens.access}":
                self._renewed(tokens)

    def _renewed(self, tokens: _Tokens | None) -> _Tokens:
        if tokens is not None and tokens.refresh and tokens.refresh_until_s > time.time():
            try:
                renewed = self._ask(
                    {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
                )
            except HubRefusedError:
                # The session has ended before its time: log in anew.
                pass
            else:
                self._write(renewed)
                return renewed
        login = {"grant_type": "password", "username": self._user, "password": self._password}
        opened = self._ask(login)
        self._write(opened)
        return opened

    def _ask(self, form: Mapping[str, str]) -> _Tokens:
        try:
            answer = self._session.post(
                self._address,
                data={"client_id": _CLIENT, **form},
                timeout=(CONNECT_S, SILENCE_S),
                # A login is not sent on to wherever a redirect points.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise failed(self._hub, error) from error
        # A refused login is 400 or 401, by the reason.
        if answer.status_code in (400, 401):
            raise HubRefusedError(
                f"{self._hub}: the token service does not take the account"
                f" ({_reason(answer)}); check user and password in the settings"
            )
        answered(self._hub, answer)
        try:
            told = answer.json()
            life, session = float(told["expires_in"]), float(told.get("refresh_expires_in") or 0)
            now = time.time()
            return _Tokens(
                access=str(told["access_token"]),
                until_s=now + life,
                refresh=str(told.get("refresh_token") or ""),
                refresh_until_s=now + session,
                early_s=min(_EARLY_S, _EARLY_SHARE * life),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise HubUnreachableError(
                f"{self._hub}: the token service answers something that is no token"
            ) from error

    def _read(self) -> _Tokens | None:
        try:
            return _Tokens(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, tokens: _Tokens) -> None:
        beside = self._file.with_suffix(f".{os.getpid()}.part")
        beside.unlink(missing_ok=True)
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(asdict(tokens), file)
        beside.replace(self._file)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._file.with_suffix(".lock")
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _fresh(tokens: _Tokens) -> bool:
    return tokens.until_s - tokens.early_s > time.time()


def _reason(answer: requests.Response) -> str:
    try:
        told: Any = answer.json()
        return str(told.get("error_description") or told.get("error"))[:100]
    except (ValueError, AttributeError):
        return str(answer.status_code)
