"""What all questions to the catalogue share: transactions, and locks that end with their holder."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from geobservatory.errors import TransientError


class Sessions:
    """A database, and how it is spoken to.

    Parameters
    ----------
    engine
        Of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The database, for locks that last as long as their holder."""
        return self._engine

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """All or nothing.

        Raises
        ------
        TransientError
            If the server is gone, or had to choose between two who waited for each other.
        """
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (OperationalError, InterfaceError) as error:
            raise TransientError(f"the catalogue does not answer: {_reason(error)}") from None

    @contextmanager
    def _lock(self, space: int, name: str, *, wait: bool, shared: bool = False) -> Iterator[bool]:
        """Hold an advisory lock; it ends with the connection, so with the process, however it ends.

        Parameters
        ----------
        space
            Number space of the kind of lock.
        name
            What is locked.
        wait
            Whether to wait for whoever holds it; else yields False where somebody does.
        shared
            Whether others may hold it too, if they share it.
        """
        key, kind = _key(name), "_shared" if shared else ""
        take = getattr(func, f"pg_{'' if wait else 'try_'}advisory_lock{kind}")
        give = getattr(func, f"pg_advisory_unlock{kind}")
        with self._lasting() as connection:
            try:
                taken = connection.execute(select(take(space, key))).scalar_one()
            except (OperationalError, InterfaceError) as error:
                raise TransientError(f"the catalogue does not answer: {_reason(error)}") from None
            # The lock that is waited for answers with nothing.
            ours = wait or bool(taken)
            try:
                yield ours
            finally:
                if ours:
                    # Where the server went meanwhile, the lock went with it.
                    with suppress(DBAPIError):
                        connection.execute(select(give(space, key)))

    def _is_locked(self, space: int, name: str) -> bool:
        held = text(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid::bigint = :space AND objid::bigint = :key)"
        )
        with self._transaction() as session:
            asked = {"space": space, "key": _key(name) & 0xFFFF_FFFF}
            return bool(session.execute(held, asked).scalar_one())

    @contextmanager
    def _lasting(self) -> Iterator[Connection]:
        try:
            connection = self._engine.connect()
        except (OperationalError, InterfaceError) as error:
            raise TransientError(f"the catalogue does not answer: {_reason(error)}") from None
        with connection.execution_options(isolation_level="AUTOCOMMIT") as opened:
            yield opened


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], signed=True)


def _reason(error: DBAPIError) -> str:
    """Give the server's own words; no address, which may hold a password."""
    lines = str(error.orig).strip().splitlines()
    return lines[0][:200] if lines else type(error.orig).__name__
