"""Products that somebody asked for and cannot be given at once: they are brought here."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from geobservatory.errors import GeobservatoryError

_LOG = logging.getLogger(__name__)
_AT_ONCE, _MOST = 2, 100
_PATIENCE_S = 1800.0


class Errands:
    """Fetches into the archive, two at a time; what is asked for again is not fetched twice.

    Parameters
    ----------
    bring
        Brings a product, and waits for it so many seconds at most.

    Attributes
    ----------
    again_s
        When to ask whether it is there.
    """

    again_s = 30.0

    def __init__(self, bring: Callable[[str, float], object]) -> None:
        self._bring = bring
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._at_work: set[str] = set()

    def fetch(self, name: str) -> None:
        """Have a product brought; gives at once. What is too much is left for the next who asks."""
        with self._lock:
            if name in self._waiting or name in self._at_work or len(self._waiting) >= _MOST:
                return
            if len(self._at_work) >= _AT_ONCE:
                self._waiting.append(name)
                return
            self._at_work.add(name)
            threading.Thread(target=self._work, args=(name,), daemon=True).start()

    def _work(self, name: str | None) -> None:
        while name is not None:
            try:
                self._bring(name, _PATIENCE_S)
            except GeobservatoryError as error:
                _LOG.warning("%s was not brought: %s", name, error)
            except Exception as error:  # noqa: BLE001  (the next is brought all the same)
                _LOG.warning("%s was not brought: %s", name, type(error).__name__)
            with self._lock:
                self._at_work.discard(name)
                name = self._waiting.popleft() if self._waiting else None
                if name is not None:
                    self._at_work.add(name)
