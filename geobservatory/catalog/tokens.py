"""Tokens of accounts, for programs: shown once, kept as a digest, of use until they expire."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from geobservatory.catalog.account_tables import AccountRow, ApiTokenRow
from geobservatory.catalog.accounts import Account, digest_of, to_account
from geobservatory.catalog.session import Sessions
from geobservatory.errors import InputError, NotFoundError

# Scanners that look for leaked secrets know ours by it.
TOKEN_PREFIX = "geobs_"  # noqa: S105  no secret
_SHOWN = len(TOKEN_PREFIX) + 4
# How exactly it is known when a token was last used: not each use is written.
_USED_EVERY = timedelta(minutes=10)


@dataclass(frozen=True)
class ApiToken:
    """A token, without what only its holder knows."""

    id: int
    account: str
    name: str
    start: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


class TokenQueries(Sessions):
    """The part of the catalogue that is about tokens."""

    def new_token(
        self, account_id: int, name: str, scopes: Sequence[str], expires_at: datetime
    ) -> tuple[ApiToken, str]:
        """Make a token.

        Returns
        -------
        token, secret
            The secret is told this once.

        Raises
        ------
        InputError
            If it has no name or no scope.
        """
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise InputError("a token needs a name of at most 100 characters")
        if not scopes:
            raise InputError("a token needs a scope")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = ApiTokenRow(
            account_id=account_id,
            name=name,
            start=secret[:_SHOWN],
            digest=digest_of(secret),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
        with self._transaction() as session:
            session.add(row)
            session.flush()
            session.refresh(row)
            account = session.get_one(AccountRow, account_id)
            return _token(row, account.name), secret

    def tokens(self, account: str | None = None) -> list[ApiToken]:
        """List tokens, the newest first; of one account, or of all."""
        wanted = (
            select(ApiTokenRow, AccountRow.name)
            .join(AccountRow, AccountRow.id == ApiTokenRow.account_id)
            .order_by(ApiTokenRow.id.desc())
        )
        if account is not None:
            wanted = wanted.where(AccountRow.name == account.lower())
        with self._transaction() as session:
            return [_token(row, name) for row, name in session.execute(wanted).tuples()]

    def revoke_token(self, identifier: int, account: str | None = None) -> ApiToken:
        """Make a token worth nothing.

        Parameters
        ----------
        account
            Only if it is of this account.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        wanted = select(ApiTokenRow, AccountRow.name).join(AccountRow)
        wanted = wanted.where(ApiTokenRow.id == identifier)
        if account is not None:
            wanted = wanted.where(AccountRow.name == account)
        with self._transaction() as session:
            found = session.execute(wanted).tuples().first()
            if found is None:
                raise NotFoundError(f"there is no token {identifier}")
            row, name = found
            row.revoked_at = row.revoked_at or session.execute(select(func.now())).scalar_one()
            return _token(row, name)

    def whose_token(self, secret: str, now: datetime) -> tuple[Account, ApiToken] | None:
        """Find whose token this is; None if it is nobody's, or of no use any more."""
        wanted = (
            select(ApiTokenRow, AccountRow)
            .join(AccountRow)
            .where(ApiTokenRow.digest == digest_of(secret), ApiTokenRow.expires_at > now)
            .where(ApiTokenRow.revoked_at.is_(None), AccountRow.disabled_at.is_(None))
        )
        with self._transaction() as session:
            found = session.execute(wanted).tuples().first()
            if found is None:
                return None
            row, account = found
            if row.used_at is None or now - row.used_at > _USED_EVERY:
                row.used_at = now
            return to_account(account), _token(row, account.name)

    def token_lives(self, digest: str, now: datetime) -> bool:
        """Say whether the token of a digest is of use."""
        wanted = select(ApiTokenRow.id).where(
            ApiTokenRow.digest == digest,
            ApiTokenRow.expires_at > now,
            ApiTokenRow.revoked_at.is_(None),
        )
        with self._transaction() as session:
            return session.scalars(wanted).first() is not None


def _token(row: ApiTokenRow, account: str) -> ApiToken:
    names = [name for name in ApiToken.__dataclass_fields__ if name not in ("account", "scopes")]
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    return ApiToken(account=account, scopes=tuple(row.scopes), **values)
