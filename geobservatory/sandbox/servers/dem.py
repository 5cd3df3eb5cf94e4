"""Copernicus GLO-30 tiles, in a bucket as the public one keeps them, with its ``tileList.txt``.

Beside them, as PROJ's network has it, the grid of the geoid that their heights refer to and the
list that gives its checksum.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from geobservatory.sandbox.servers.bucket import BucketHub, Stored
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.hub import HubConfig
from geobservatory.sandbox.servers.view import View

_NAME = re.compile(r"Copernicus_DSM_COG_10_[NS]\d\d_00_[EW]\d{3}_00_DEM")
_SINCE = datetime(2022, 12, 1, tzinfo=UTC)


class DemConfig(HubConfig):
    """A bucket of tiles."""

    kind: Literal["dem"] = "dem"
    folder: Path = Field(description="holds the tiles (….tif, named as GLO-30's), at any depth")


class DemHub(BucketHub[DemConfig]):
    """One such bucket; other files of the folder are left out."""

    kind: ClassVar[str] = "dem"
    bucket = "copernicus-dem-30m"

    def __init__(self, config: DemConfig, clock: SandboxClock, faults: Faults) -> None:
        super().__init__(config, clock, faults)
        paths = sorted(config.folder.rglob("*.tif"))
        self._tiles = {path.stem: path for path in paths if _NAME.fullmatch(path.stem)}
        grids = ("us_nga_egm08_25.tif", "files.geojson")
        self._grids = [path for name in grids for path in sorted(config.folder.rglob(name))[:1]]

    def objects(self, view: View) -> dict[str, Stored]:
        """List the tiles and the list of them."""
        names = "".join(f"{name}\n" for name in self._tiles)
        tiles = {f"{name}/{name}.tif": Stored(path, _SINCE) for name, path in self._tiles.items()}
        grids = {path.name: Stored(path, _SINCE) for path in self._grids}
        return {**tiles, **grids, "tileList.txt": Stored(names.encode(), _SINCE)}
