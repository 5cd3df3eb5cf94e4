"""How far the checksums of files were when they were handed on: who goes on need not begin anew.

Kept in memory alone: the state of a checksum cannot be written down.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict

from geobservatory.transfer.digest import Hash

_MOST_FILES, _A_FILE = 500, 512
_LEAST = 1 << 20


class Checkpoints:
    """States of checksums, by the file they are of; several threads may use one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[str, list[tuple[int, Hash]]] = OrderedDict()

    @staticmethod
    def stride(size: int | None) -> int:
        """Tell after how many bytes a state is worth keeping."""
        return max(_LEAST, (size or 0) // _A_FILE)

    def note(self, file: str, at: int, state: Hash) -> None:
        """Keep the state after so many bytes of a file (its checksum names it)."""
        with self._lock:
            states = self._files.setdefault(file, [])
            self._files.move_to_end(file)
            place = bisect_right(states, at, key=lambda one: one[0])
            if len(states) < 2 * _A_FILE and (place == 0 or states[place - 1][0] != at):
                states.insert(place, (at, state.copy()))
            if len(self._files) > _MOST_FILES:
                self._files.popitem(last=False)

    def before(self, file: str, at: int) -> tuple[int, Hash] | None:
        """Give the last state that is not beyond a place; None where there is none."""
        with self._lock:
            states = self._files.get(file, [])
            place = bisect_right(states, at, key=lambda one: one[0])
            if place == 0:
                return None
            self._files.move_to_end(file)
            found, state = states[place - 1]
            return found, state.copy()

    def forget(self, file: str) -> None:
        """Forget a file: what came was not it."""
        with self._lock:
            self._files.pop(file, None)
