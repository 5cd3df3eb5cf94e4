"""How many downloads a user has under way: hubs allow a few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Flows:
    """How many downloads a user may have at a time; a broken one still counts for a moment.

    Parameters
    ----------
    linger_s
        That moment, real seconds.
    """

    def __init__(self, linger_s: float = 0.0) -> None:
        self._linger_s = linger_s
        self._flows: dict[str, int] = {}

    def count(self, user: str) -> int:
        """Count a user's downloads under way."""
        return self._flows.get(user, 0)

    @asynccontextmanager
    async def one(self, user: str) -> AsyncIterator[None]:
        """Hold a place for a download."""
        self._flows[user] = self.count(user) + 1
        loop = asyncio.get_running_loop()
        try:
            yield
        except (ConnectionError, asyncio.CancelledError):
            loop.call_later(self._linger_s, self._end, user)
            raise
        except BaseException:
            self._end(user)
            raise
        else:
            self._end(user)

    def _end(self, user: str) -> None:
        self._flows[user] -= 1
