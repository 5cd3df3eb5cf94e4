"""Bytes from a thread that brings them to the connection that takes them, at its pace."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from geobservatory.errors import GeobservatoryError

_ROOM = 2 << 20
# A connection that takes nothing for so long keeps a hub's place from others.
_STALL_S = 120.0


class LeftError(GeobservatoryError):
    """Nobody wants the bytes any more."""


class Relay:
    """A `Receiver` in one thread, read in the event loop; made in the loop.

    Attributes
    ----------
    origins
        Where the bytes came from.
    """

    def __init__(self) -> None:
        self.origins: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._room = threading.Condition()
        self._left = threading.Event()
        self._ended = False
        self._failure: BaseException | None = None

    # In the thread.

    def take(self, piece: bytes) -> None:
        """See `Receiver.take`."""
        deadline = time.monotonic() + _STALL_S
        with self._room:
            while self._size >= _ROOM and not self._left.is_set():
                if not self._room.wait(deadline - time.monotonic()):
                    raise LeftError(f"the client took nothing for {_STALL_S:g} s")
            if self._left.is_set():
                raise LeftError("the client left")
            self._pieces.append(piece)
            self._size += len(piece)
        self._wake()

    def wait(self, seconds: float) -> None:
        """See `Receiver.wait`."""
        if self._left.wait(seconds):
            raise LeftError("the client left")

    def told(self, hub: str) -> None:
        """See `Receiver.told`."""
        if not self.origins or self.origins[-1] != hub:
            self.origins.append(hub)

    def run(self, work: Callable[["Relay"], None]) -> None:
        """Do the work, and note how it ended."""
        try:
            work(self)
        except BaseException as error:  # noqa: BLE001  (told to who reads)
            self._failure = error
        finally:
            self._ended = True
            self._wake()

    # In the loop.

    def start(self, work: Callable[["Relay"], None]) -> None:
        """Let the work begin in a thread of its own; a process that ends does not wait for it."""
        threading.Thread(target=self.run, args=(work,), daemon=True).start()

    async def next(self) -> bytes | None:
        """Give the next bytes; None at the end. What went wrong in the thread is raised here."""
        while True:
            with self._room:
                ended = self._ended
                if self._pieces:
                    piece = self._pieces.popleft()
                    self._size -= len(piece)
                    self._room.notify()
                    return piece
            if ended:
                if self._failure is not None:
                    raise self._failure
                return None
            await self._ready.wait()
            self._ready.clear()

    def leave(self) -> None:
        """Tell the thread that nobody wants more."""
        self._left.set()
        with self._room:
            self._room.notify()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            # The loop has ended, and with it who read.
            self._left.set()
