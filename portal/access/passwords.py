"""Passwords: hashed with argon2id, compared in the same time whether or not there is an account."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB and two passes: what OWASP's Password Storage Cheat Sheet asks for at least. More memory
# would let a few dozen logins at once fill a small machine.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hashed(password: str) -> str:
    """Give the digest that is kept of a password."""
    return _HASHER.hash(password)


def matches(digest: str | None, password: str) -> bool:
    """Say whether this is the password; where there is none it takes as long to say no."""
    try:
        return _HASHER.verify(digest or _nobodys(), password) and digest is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return hashed("nobody has this password, and who has found it out has no account by it")
