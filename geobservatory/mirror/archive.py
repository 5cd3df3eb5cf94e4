"""The archive of an installation: folder, inventory, clock, and how much it may hold."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.mirror import Held, Room
from geobservatory.mirror.streams import Wanted, streams
from geobservatory.probing.clock import Clock, RealClock
from geobservatory.sentinel1.names import parse_name
from geobservatory.settings.model import Settings
from geobservatory.transfer.archive import archive_folder, part_path, whole_path


@dataclass(frozen=True)
class Archive:
    """What the work on the archive needs."""

    settings: Settings
    catalog: Catalog
    clock: Clock = field(default_factory=RealClock)

    @property
    def folder(self) -> Path:
        """Where products lie."""
        return archive_folder(self.settings.data_dir)

    def whole(self, name: str) -> Path:
        """Name the zip of a product, there or not."""
        return whole_path(self.folder, name)

    def part(self, name: str) -> Path:
        """Name the folder of a part of a product, there or not."""
        return part_path(self.folder, name)

    def now(self) -> datetime:
        """Tell what time it is, UTC."""
        return self.clock.now()

    @property
    def streams(self) -> list[Wanted]:
        """What is wanted."""
        return streams(self.settings)

    @property
    def disk(self) -> int:
        """Bytes of the disk that is the mirror's."""
        return int(self.settings.mirror.disk_gb * 1e9)

    def mark(self, water: float, stream: str) -> Room:
        """Give the bytes up to a water mark: of a stream's share, and of all.

        What is of no stream has no share of its own.
        """
        share = self.settings.mirror.shares.get(stream, 1.0)
        return Room(int(water * share * self.disk), int(water * self.disk))

    @property
    def high(self) -> float:
        """Share of the disk at which nothing more is taken in."""
        return self.settings.mirror.high_water

    @property
    def low(self) -> float:
        """Share of the disk down to which the oldest goes."""
        return self.settings.mirror.low_water

    def blank(self, name: str, state: str, path: Path, size: int, stream: str = "") -> Held:
        """Make an entry of the inventory, of now."""
        now = self.now()
        sensed = parse_name(name).start
        return Held(name, stream, state, path, size, "", {}, sensed, now, None)
