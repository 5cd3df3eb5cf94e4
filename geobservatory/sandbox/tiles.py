"""The world's heights as Copernicus GLO-30 has them: one-degree tiles, above the geoid."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from scipy.ndimage import map_coordinates

from geobservatory.files import written_whole
from geobservatory.insar.glo30 import longitude_step, tile_name
from geobservatory.sandbox.geoid import undulation, write_grid
from geobservatory.sandbox.plan import Plan
from geobservatory.sandbox.world import STEP, heights

_ROWS = 3600


def write_tiles(plan: Plan, folder: Path) -> list[Path]:
    """Write the tiles that the pass lies on, and the grid of the geoid; what is there stays.

    A tile without land is not written: over the sea GLO-30 has none. The nodes of the tile hold
    those of the world, so that bilinear interpolation gives the ground that was simulated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_grid(folder)
    rows, cols, _ = plan.world.layers.shape
    south, west = plan.world.latitude, plan.world.longitude
    paths = []
    for lat in range(int(np.floor(south)), int(np.floor(south + rows * STEP)) + 1):
        for lon in range(int(np.floor(west)), int(np.floor(west + cols * STEP)) + 1):
            path = folder / f"{tile_name(lon, lat)}.tif"
            if path.exists() or _write_tile(plan, lon, lat, path):
                paths.append(path)
    return paths


def _write_tile(plan: Plan, west: int, south: int, path: Path) -> bool:
    """Write one tile, named after its south-western corner; False where all of it is sea."""
    coarse = np.linspace(0, 1, round(1 / STEP) + 1)
    ground, sea = heights(plan.scenario, south + coarse, west + coarse)
    if sea.all():
        return False
    cols = round(1 / longitude_step(south))
    latitude = south + 1 - np.arange(_ROWS) / _ROWS
    longitude = west + np.arange(cols) / cols
    at = np.meshgrid((latitude - south) / STEP, (longitude - west) / STEP, indexing="ij")
    values = map_coordinates(ground, at, order=1) - undulation(
        latitude[:, None], longitude[None, :]
    )
    # A tile past 180 degrees is stored on the other side.
    stored = (west + 180) % 360 - 180
    origin = from_origin(stored - 0.5 / cols, south + 1 + 0.5 / _ROWS, 1 / cols, 1 / _ROWS)
    with written_whole(path) as beside, rasterio.open(
        beside, "w", driver="GTiff", height=_ROWS, width=cols, count=1, dtype="float32",
        crs="EPSG:4326", transform=origin, tiled=True, blockxsize=512, blockysize=512,
        compress="deflate", predictor=3, zlevel=1,
    ) as tiff:  # fmt: skip
        tiff.write(values.astype(np.float32), 1)
    return True
