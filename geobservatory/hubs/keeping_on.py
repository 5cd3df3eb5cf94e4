"""What is handed on kept in the archive on the way: the bytes that pass are written down as well.

It appears there only if all passed and was right. What cannot be written stops nobody's download.
"""

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.mirror import Room
from geobservatory.errors import TransientError
from geobservatory.files import written_whole
from geobservatory.hubs.handing import Receiver
from geobservatory.hubs.keeping import keep_product
from geobservatory.hubs.model import Scene
from geobservatory.settings.model import Mirror

_LOG = logging.getLogger(__name__)
_AT_ONCE = 4
# Left free on the disk, beside what is kept.
_SPARED = 1 << 30


class Keeper:
    """Keeps some of what passes; several threads use one.

    Parameters
    ----------
    catalog
        With the inventory of the archive.
    mirror
        How much may lie there.
    """

    def __init__(self, catalog: Catalog, mirror: Mirror) -> None:
        self._catalog, self._mirror = catalog, mirror
        self._lock = threading.Lock()
        self._names: set[str] = set()

    @contextmanager
    def keeping(
        self, scene: Scene, path: Path, size: int | None, receiver: Receiver
    ) -> Iterator[Receiver]:
        """Give a receiver that writes down what it is handed, if there is room for it."""
        name = scene.product.name
        with self._lock:
            ours = size is not None and len(self._names) < _AT_ONCE and name not in self._names
            if ours:
                self._names.add(name)
        if not ours or size is None:
            yield receiver
            return
        try:
            with ExitStack() as stack:
                if self._reserved(scene, path, size, stack):
                    yield from self._kept(scene, path, receiver)
                else:
                    yield receiver
        finally:
            with self._lock:
                self._names.discard(name)

    def _kept(self, scene: Scene, path: Path, receiver: Receiver) -> Iterator[Receiver]:
        passed = False
        try:
            with written_whole(path) as beside, beside.open("wb") as file:
                both = _Both(receiver, file)
                yield both
                passed = True
                both.check()
            keep_product(self._catalog, scene, path, datetime.now(UTC), "handed on to a client")
        except (OSError, TransientError) as error:
            if not passed:
                raise
            _LOG.warning("%s was not kept on the way: %s", scene.product.name, error)

    def _reserved(self, scene: Scene, path: Path, size: int, stack: ExitStack) -> bool:
        """Enter the product as coming, as the mirror does: together they keep to its mark.

        The stack keeps others from bringing it meanwhile, and gives the room back if it did not
        come. What lies here in part already is not begun.
        """
        name, catalog, now = scene.product.name, self._catalog, datetime.now(UTC)
        mark = int(self._mirror.high_water * self._mirror.disk_gb * 1e9)
        try:
            if path.exists() or not stack.enter_context(catalog.bringing(name)):
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free - size <= _SPARED:
                return False
            if catalog.inventory_entry(name) is not None:
                return False
            room = Room(mark, mark)
            if not catalog.reserve(name, "", path, scene.product.start, size, room, now):
                return False
        except (OSError, TransientError, SQLAlchemyError) as error:
            _LOG.warning("%s is not kept on the way: %s", name, type(error).__name__)
            return False
        stack.callback(self._give_back, name)
        return True

    def _give_back(self, name: str) -> None:
        """Forget what did not come; what cannot be forgotten now is settled with the archive."""
        with suppress(TransientError, SQLAlchemyError):
            entry = self._catalog.inventory_entry(name)
            if entry is not None and entry.state == "coming":
                self._catalog.drop_entry(entry, datetime.now(UTC))


class _Both:
    """Writes down what it hands on."""

    def __init__(self, receiver: Receiver, file: BinaryIO) -> None:
        self._receiver, self._file = receiver, file
        self._failure: OSError | None = None

    def take(self, piece: bytes) -> None:
        """See `Receiver.take`."""
        self._receiver.take(piece)
        try:
            if self._failure is None:
                self._file.write(piece)
        except OSError as error:
            # Full, perhaps: what is on its way is worth more.
            self._failure = error

    def check(self) -> None:
        """Raise what went wrong, once all has passed."""
        if self._failure is not None:
            raise self._failure
        self._file.flush()

    def wait(self, seconds: float) -> None:
        """See `Receiver.wait`."""
        self._receiver.wait(seconds)

    def told(self, hub: str) -> None:
        """See `Receiver.told`."""
        self._receiver.told(hub)
