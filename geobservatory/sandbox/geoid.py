"""The sandbox's own geoid: a smooth surface within tens of metres of the ellipsoid.

Heights of the sandbox's GLO-30 tiles are above it, and its sea lies on it; the grid it is served as
stands where EGM2008's would.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from geobservatory.files import written_whole

GRID = "us_nga_egm08_25.tif"
_STEP = 1.0


def undulation(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Height of the sandbox's geoid above the ellipsoid, metres, at degrees."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.asarray(
        12 + 30 * np.sin(lat) + 20 * np.cos(lat) * np.cos(lon) - 8 * np.cos(lat) * np.sin(lon)
    )


def write_grid(folder: Path) -> Path:
    """Write the geoid as a worldwide grid, and the list that PROJ's network has of its grids."""
    latitude = np.linspace(90, -90, int(180 / _STEP) + 1)
    longitude = np.linspace(-180, 180, int(360 / _STEP), endpoint=False)
    values = undulation(latitude[:, None], longitude[None, :]).astype(np.float32)
    path = folder / GRID
    rows, cols = values.shape
    with written_whole(path) as beside, rasterio.open(
        beside, "w", driver="GTiff", height=rows, width=cols, count=1, dtype="float32",
        crs="EPSG:4326", compress="deflate",
        transform=from_origin(-180 - _STEP / 2, 90 + _STEP / 2, _STEP, _STEP),
    ) as tiff:  # fmt: skip
        tiff.write(values, 1)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    listed = {"features": [{"properties": {"name": GRID, "sha256sum": digest}}]}
    with written_whole(folder / "files.geojson") as beside:
        beside.write_text(json.dumps(listed))
    return path
