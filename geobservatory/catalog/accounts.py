"""Who is known, and who has logged in on the web.

Secrets are made here and handed out once; what is kept is a digest. A password is hashed with
argon2id (RFC 9106); a token or a session is 32 random bytes, which nobody can guess, so that
SHA-256 is enough to hide them and to find them by.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geobservatory.catalog.account_tables import AccountRow, WebSessionRow
from geobservatory.catalog.session import Sessions
from geobservatory.errors import InputError, NotFoundError
from geobservatory.settings.portal import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_LEAST_PASSWORD, _LONGEST_PASSWORD = 12, 1000


@dataclass(frozen=True)
class Account:
    """Somebody who is known.

    Attributes
    ----------
    password
        Its argon2id digest; None where another vouches.
    subject
        Who vouches, and whom they mean; None for an account of ours.
    country
        Where they work, in English; None where nobody has told.
    """

    id: int
    name: str
    role: Role
    password: str | None
    subject: str | None
    country: str | None
    created_at: datetime
    disabled_at: datetime | None


class AccountQueries(Sessions):
    """The part of the catalogue that is about who may."""

    def add_account(self, name: str, role: Role, password: str | None) -> Account:
        """Add an account of ours.

        Parameters
        ----------
        password
            Its argon2id digest; without one nobody logs in.

        Raises
        ------
        InputError
            If the name is taken or is none.
        """
        row = {"name": account_name(name), "role": role, "password": password}
        added = insert(AccountRow).values(row).on_conflict_do_nothing()
        with self._transaction() as session:
            found = session.scalars(added.returning(AccountRow)).first()
            if found is None:
                raise InputError(f"there is an account {row['name']} already")
            return to_account(found)

    def vouched_account(self, subject: str, name: str, role: Role) -> Account:
        """Find the account of somebody another vouches for; it is made when they first come.

        Their role is what they have now. A name that another account has gets a number.
        """
        with self._transaction() as session:
            of_it = select(AccountRow).where(AccountRow.subject == subject)
            row = session.scalars(of_it).first()
            if row is None:
                row = _new_vouched(session, subject, name, role)
            if row.role != role:
                row.role = role
            return to_account(row)

    def accounts(self) -> list[Account]:
        """List the accounts by name."""
        with self._transaction() as session:
            rows = session.scalars(select(AccountRow).order_by(AccountRow.name))
            return [to_account(row) for row in rows]

    def account(self, name: str) -> Account:
        """Find an account.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._transaction() as session:
            return to_account(_named(session, name))

    def set_role(self, name: str, role: Role) -> None:
        """Give an account another role.

        Raises
        ------
        InputError
            If another vouches for it: its role comes from there.
        """
        with self._transaction() as session:
            row = _named(session, name)
            if row.subject is not None:
                raise InputError(f"the role of {row.name} comes from who vouches for it")
            row.role = role

    def set_country(self, name: str, country: str | None) -> None:
        """Note the country of whoever has an account, or that it is not known."""
        with self._transaction() as session:
            _named(session, name).country = country

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password (its digest); who is logged in has to log in again.

        Raises
        ------
        InputError
            If another vouches for it.
        """
        with self._transaction() as session:
            row = _named(session, name)
            if row.subject is not None:
                raise InputError(f"{row.name} has no password here: another vouches for it")
            row.password = password
            session.execute(delete(WebSessionRow).where(WebSessionRow.account_id == row.id))

    def disable(self, name: str, *, disabled: bool) -> None:
        """Let nobody in by an account any more, or again; its sessions end."""
        with self._transaction() as session:
            row = _named(session, name)
            row.disabled_at = session.execute(select(func.now())).scalar_one() if disabled else None
            session.execute(delete(WebSessionRow).where(WebSessionRow.account_id == row.id))

    def new_session(self, account_id: int, expires_at: datetime) -> str:
        """Begin a session; what has run out is forgotten."""
        secret = secrets.token_urlsafe(32)
        with self._transaction() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.expires_at < func.now()))
            session.add(
                WebSessionRow(
                    digest=digest_of(secret), account_id=account_id, expires_at=expires_at
                )
            )
        return secret

    def whose_session(self, secret: str, now: datetime) -> Account | None:
        """Find whose session this is; None if it is nobody's any more."""
        wanted = (
            select(AccountRow)
            .join(WebSessionRow, WebSessionRow.account_id == AccountRow.id)
            .where(WebSessionRow.digest == digest_of(secret), WebSessionRow.expires_at > now)
            .where(AccountRow.disabled_at.is_(None))
        )
        with self._transaction() as session:
            row = session.scalars(wanted).first()
            return None if row is None else to_account(row)

    def end_session(self, secret: str) -> None:
        """End a session."""
        gone = delete(WebSessionRow).where(WebSessionRow.digest == digest_of(secret))
        with self._transaction() as session:
            session.execute(gone)


def account_name(text: str) -> str:
    """Check a name.

    Raises
    ------
    InputError
        If it is none.
    """
    name = text.strip().lower()
    if not _NAME.fullmatch(name) or name == "anonymous":
        raise InputError(
            f"{text[:100]!r} is no name of an account: letters, digits and ._@+- of ASCII, at most"
            " 100, the first a letter or digit"
        )
    return name


def check_password(text: str) -> None:
    """Check that a password can be one (NIST SP 800-63B: long; what it is made of is free).

    Raises
    ------
    InputError
        If it is too short or too long.
    """
    if not _LEAST_PASSWORD <= len(text) <= _LONGEST_PASSWORD:
        raise InputError(
            f"a password has {_LEAST_PASSWORD} to {_LONGEST_PASSWORD} characters, not {len(text)}"
        )


def _new_vouched(session: Session, subject: str, name: str, role: Role) -> AccountRow:
    given = re.sub(r"[^a-z0-9._@+-]", "-", name.strip().lower()).lstrip("._@+-")[:90] or "guest"
    if given == "anonymous":
        given = "guest"
    wanted, number = given, 1
    while True:
        added = insert(AccountRow).values(name=wanted, role=role, subject=subject)
        row = session.scalars(added.on_conflict_do_nothing().returning(AccountRow)).first()
        # Two requests of one who comes for the first time.
        of_it = select(AccountRow).where(AccountRow.subject == subject)
        row = row or session.scalars(of_it).first()
        if row is not None:
            return row
        number += 1
        wanted = f"{given}-{number}"


def _named(session: Session, name: str) -> AccountRow:
    row = session.scalars(select(AccountRow).where(AccountRow.name == name.lower())).first()
    if row is None:
        raise NotFoundError(f"there is no account {name}; `geobs users list` lists them")
    return row


def digest_of(secret: str) -> str:
    """Give what is kept of a token or a session."""
    return hashlib.sha256(secret.encode()).hexdigest()


def to_account(row: AccountRow) -> Account:
    """Read an account from its row."""
    values: dict[str, Any] = {name: getattr(row, name) for name in Account.__dataclass_fields__}
    return Account(**{**values, "role": Role(row.role)})
