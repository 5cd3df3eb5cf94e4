"""One catalogue for all requests: opened when it is first needed, and again after it was lost."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.database import Catalog
from geobservatory.errors import GeobservatoryError, TransientError


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
