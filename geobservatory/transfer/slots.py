"""How many transfers run at a hub at once, counted over all processes.

A place is a lock that its owner's end gives back, however that comes about. Where there is a
catalogue the locks are PostgreSQL's, and count over all machines that share it; else they are of
files, and count over one machine.
"""

import fcntl
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, NullPool, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from geobservatory.errors import TransientError

# Beside the other advisory locks of the catalogue (catalog/activations.py).
_SPACE = 0x6E0B_0011
_UNLISTED = 2

Release = Callable[[], None]


class Slots(Protocol):
    """Places for transfers."""

    def take(self, hub: str) -> Release | None:
        """Take a place at a hub; None where all are taken. What comes back gives it back."""

    def in_use(self, hub: str) -> int:
        """Count the places taken at a hub, by anybody."""


class FileSlots:
    """Places kept as locked files.

    Parameters
    ----------
    folder
        Where the files are; of this machine, not of a network.
    limits
        Hub to how many transfers it bears; two where it is not listed.
    """

    def __init__(self, folder: Path, limits: Mapping[str, int]) -> None:
        self._folder, self._limits = folder, dict(limits)

    def take(self, hub: str) -> Release | None:
        """See `Slots.take`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._limits.get(hub, _UNLISTED)):
            fd = os.open(self._folder / f"{hub}.{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            return lambda fd=fd: os.close(fd)  # type: ignore[misc]
        return None

    def in_use(self, hub: str) -> int:
        """See `Slots.in_use`."""
        taken = 0
        for number in range(self._limits.get(hub, _UNLISTED)):
            try:
                fd = os.open(self._folder / f"{hub}.{number}", os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                # Shared, and only for a moment: whoever takes a place meanwhile finds the next one.
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                taken += 1
            finally:
                os.close(fd)
        return taken


class CatalogSlots:
    """Places kept as advisory locks of the catalogue's database.

    Each place taken holds a connection; the server frees it when the connection ends.

    Parameters
    ----------
    engine
        Of the catalogue's database.
    limits
        Hub to how many transfers it bears; two where it is not listed.
    """

    def __init__(self, engine: Engine, limits: Mapping[str, int]) -> None:
        self._engine, self._limits = engine, dict(limits)
        # Not of the pool, which is for questions: places are kept for as long as a transfer lasts.
        self._places = create_engine(engine.url, poolclass=NullPool)

    def take(self, hub: str) -> Release | None:
        """See `Slots.take`; `TransientError` where the database does not answer."""
        try:
            connection = self._places.connect().execution_options(isolation_level="AUTOCOMMIT")
        except DBAPIError as error:
            raise TransientError(f"the catalogue does not answer: {error.orig}") from error
        try:
            for number in range(self._limits.get(hub, _UNLISTED)):
                taken = select(func.pg_try_advisory_lock(_SPACE, _key(hub, number)))
                if connection.execute(taken).scalar_one():
                    return lambda number=number: _give_back(connection, hub, number)  # type: ignore[misc]
        except DBAPIError as error:
            connection.invalidate()
            connection.close()
            raise TransientError(f"the catalogue does not answer: {error.orig}") from error
        connection.close()
        return None

    def in_use(self, hub: str) -> int:
        """See `Slots.in_use`."""
        held = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid::bigint = :space AND objid::bigint = ANY(:keys)"
        )
        keys = [
            _key(hub, number) & 0xFFFF_FFFF for number in range(self._limits.get(hub, _UNLISTED))
        ]
        with self._engine.connect() as connection:
            return int(connection.execute(held, {"space": _SPACE, "keys": keys}).scalar_one())


class CountedSlots:
    """Places of which this process knows its own, so that it asks for none that cannot be free.

    Where a hundred wait for a few places, each would ask again every other second.

    Parameters
    ----------
    slots
        Where they are taken.
    limits
        Hub to how many transfers it bears; two where it is not listed.
    """

    def __init__(self, slots: Slots, limits: Mapping[str, int]) -> None:
        self._slots, self._limits = slots, dict(limits)
        self._lock = threading.Lock()
        self._own: Counter[str] = Counter()

    def take(self, hub: str) -> Release | None:
        """See `Slots.take`."""
        with self._lock:
            if self._own[hub] >= self._limits.get(hub, _UNLISTED):
                return None
            self._own[hub] += 1
        try:
            release = self._slots.take(hub)
        except BaseException:
            self._give_back(hub)
            raise
        if release is None:
            self._give_back(hub)
            return None

        def give_back() -> None:
            release()
            self._give_back(hub)

        return give_back

    def in_use(self, hub: str) -> int:
        """See `Slots.in_use`."""
        return self._slots.in_use(hub)

    def _give_back(self, hub: str) -> None:
        with self._lock:
            self._own[hub] -= 1


def _give_back(connection: Connection, hub: str, number: int) -> None:
    with suppress(DBAPIError):
        connection.execute(select(func.pg_advisory_unlock(_SPACE, _key(hub, number))))
    connection.close()


def _key(hub: str, number: int) -> int:
    digest = hashlib.sha256(f"{hub}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], signed=True)
