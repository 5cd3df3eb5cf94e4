"""What the parts of the portal share: settings, one catalogue, and room for each kind of work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
from sqlalchemy.exc import DataError, SQLAlchemyError

from geobservatory.catalog.database import Catalog
from geobservatory.errors import GeobservatoryError, TransientError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from geobservatory.settings.model import Settings

T = TypeVar("T")

# Prometheus itself gives up after ten seconds; people do before.
LIMIT_S = 8.0


class SharedCatalog:
    """A catalogue that many threads use.

    Parameters
    ----------
    open_catalog
        Opens it; may be called again.
    """

    def __init__(self, open_catalog: Callable[[], Catalog]) -> None:
        self._open = open_catalog
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._failed: tuple[float, GeobservatoryError] | None = None

    @contextmanager
    def use(self) -> Iterator[Catalog]:
        """Use it.

        Raises
        ------
        TransientError
            If it does not answer; the next who asks opens it anew.
        """
        catalog = self._opened()
        try:
            yield catalog
        except DataError:
            # What was asked is at fault, and nothing is lost.
            raise
        except (TransientError, SQLAlchemyError):
            self._forget(catalog)
            raise

    def close(self) -> None:
        """Give its connections back, at the end; not held up by one who still waits for it."""
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            catalog.engine.dispose()

    def _opened(self) -> Catalog:
        began = time.monotonic()
        with self._lock:
            if self._catalog is not None:
                return self._catalog
            if self._failed is not None and self._failed[0] > began:
                # Tried by another while we waited: to try again would take as long again.
                raise self._failed[1]
            try:
                self._catalog = self._open()
            except GeobservatoryError as error:
                self._failed = time.monotonic(), error
                raise
            return self._catalog

    def _forget(self, catalog: Catalog) -> None:
        with self._lock:
            if self._catalog is catalog:
                self._catalog = None
        # Of connections in use by others none is taken away.
        catalog.engine.dispose()


class Places:
    """Room for work of one kind in threads, so that what waits takes no place of another kind.

    Parameters
    ----------
    count
        How many at once.
    limit_s
        What takes longer is left to itself.
    """

    def __init__(self, count: int, limit_s: float | None = None) -> None:
        self._limiter = anyio.CapacityLimiter(count)
        self._limit_s = limit_s

    async def do(self, work: Callable[[], T]) -> T:
        """Do it in a thread.

        Raises
        ------
        TimeoutError
            If it takes too long, or no place is free in that time.
        """
        with anyio.fail_after(LIMIT_S if self._limit_s is None else self._limit_s):
            return await anyio.to_thread.run_sync(
                work, abandon_on_cancel=True, limiter=self._limiter
            )


class Shared:
    """What each part of the portal is given.

    Parameters
    ----------
    settings
        In force.
    open_catalog
        Opens the catalogue; called when it is first needed, and again after it was lost.
    start
        Starts the flow of an activation that was recorded; `portal.starting.start` does both.

    Attributes
    ----------
    reading
        Room for questions to the catalogue that people and programs wait for.
    starting
        Room for starting flows.
    """

    def __init__(
        self,
        settings: Settings,
        open_catalog: Callable[[], Catalog],
        start: Callable[[Activation, ActivationForm], object] | None = None,
    ) -> None:
        self.settings = settings
        self.start = start
        self.catalog = SharedCatalog(open_catalog)
        # Fewer than the connections of one engine.
        self.reading = Places(10)
        # Where flows run they may be busy.
        self.starting = Places(4, 90)

    async def ask(self, question: Callable[[Catalog], T], places: Places | None = None) -> T:
        """Ask the catalogue in a thread, in time.

        Parameters
        ----------
        question
            Given the catalogue.
        places
            Where it finds room; `reading` if absent.

        Raises
        ------
        TransientError, TimeoutError
            If the catalogue does not answer, or not in time: the portal says 503.
        """

        def work() -> T:
            with self.catalog.use() as catalog:
                return question(catalog)

        return await (places or self.reading).do(work)
