"""Who somebody is, as far as they have shown it."""

from dataclasses import dataclass
from enum import StrEnum

from geobservatory.settings.portal import Role

__all__ = ["ANONYMOUS", "Identity", "Role", "Scope", "Shown", "scopes_of"]

ANONYMOUS = "anonymous"


class Scope(StrEnum):
    """What a token may be used for; a person who logs in has all that the role allows."""

    READ = "read"
    DOWNLOAD = "download"
    ACTIVATE = "activate"


class Shown(StrEnum):
    """How somebody has shown who they are."""

    NOT = "not"
    PASSWORD = "password"  # noqa: S105  HTTP Basic
    TOKEN = "token"  # noqa: S105  Bearer, or in place of the password
    SESSION = "session"  # logged in on the web, by password or at an OpenID provider
    PROXY = "proxy"  # a reverse proxy vouches for them


@dataclass(frozen=True)
class Identity:
    """Who asks.

    Attributes
    ----------
    name
        Of the account; ``anonymous`` if it was not shown.
    role
        None where even reading needs an account and none was shown.
    scopes
        What of that this way of asking allows.
    shown
        How it was shown.
    account_id
        None for who has no account of ours.
    """

    name: str
    role: Role | None
    scopes: frozenset[Scope]
    shown: Shown = Shown.NOT
    account_id: int | None = None

    @property
    def known(self) -> bool:
        """Whether they have shown who they are."""
        return self.shown is not Shown.NOT

    def may(self, role: Role, *scopes: Scope) -> bool:
        """Say whether they may do what needs a role, and one of scopes (the role's if absent)."""
        wanted = scopes or (_SCOPES[role],)
        covered = self.role is not None and self.role.covers(role)
        return covered and not self.scopes.isdisjoint(wanted)


# What each role adds.
_SCOPES = {
    Role.READER: Scope.READ,
    Role.DOWNLOADER: Scope.DOWNLOAD,
    Role.OPERATOR: Scope.ACTIVATE,
}


def scopes_of(role: Role | None) -> frozenset[Scope]:
    """Give all that a role allows."""
    return frozenset(
        scope for of_it, scope in _SCOPES.items() if role is not None and role.covers(of_it)
    )


def anonymous(public_reading: bool) -> Identity:
    """Make the identity of who has shown none."""
    role = Role.READER if public_reading else None
    return Identity(ANONYMOUS, role, scopes_of(role))
