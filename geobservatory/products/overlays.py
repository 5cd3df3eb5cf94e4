"""The layers of a map made small, in a projection that viewers know, as arrays and as pictures."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import calculate_default_transform, reproject, transform_bounds

# Colours: cyclic and perceptually uniform for fringes, diverging for motion; both are told apart
# by people who do not see red and green as others do (Crameri, Shephard and Heron, 2020).
FRINGES, MOTION, COHERENCE = "twilight", "RdBu_r", "viridis"
_LEAST_M = 0.005


@dataclass(frozen=True)
class Overlay:
    """The layers of an interferogram on a coarser grid.

    Attributes
    ----------
    bounds
        West, south, east, north, degrees; the east is past 180 over the antimeridian.
    displacement_m, phase, coherence
        (rows, cols), NaN where there is nothing; the first is None where nothing was unwrapped.
    limit_m
        Motion at the ends of the colours, 99.5 % of it is within.
    toward_satellite
        East and north of the horizontal unit vector from the ground to the satellite.
    incidence_deg
        Of the line of sight, in the middle.
    """

    bounds: tuple[float, float, float, float]
    displacement_m: NDArray[np.float32] | None
    phase: NDArray[np.float32]
    coherence: NDArray[np.float32]
    limit_m: float
    toward_satellite: tuple[float, float]
    incidence_deg: float


def read_overlay(folder: Path, crs: str, most_cells: int) -> Overlay:
    """Read the layers of a finished interferogram and bring them to another projection.

    Parameters
    ----------
    folder
        Of the result of an engine.
    crs
        ``EPSG:3857`` for web maps, ``EPSG:4326`` for KML.
    most_cells
        Of the longer side.

    Raises
    ------
    OSError, rasterio.errors.RasterioIOError
        If a layer is missing or damaged.
    """
    with rasterio.open(folder / "coherence.tif") as source:
        around = source.crs, source.width, source.height, source.bounds
        _, wide, high = calculate_default_transform(around[0], crs, *around[1:3], *around[3])
        # Projections of the whole Earth end at ±180; what lies over it is drawn past it.
        box = transform_bounds(source.crs, "EPSG:4326", *source.bounds, densify_pts=21)
    west, south, east, north = box
    if east < west:
        east += 360
    scale = min(1.0, most_cells / max(wide, high))
    shape = max(1, round(high * scale)), max(1, round(wide * scale))
    edges = transform_bounds("EPSG:4326", crs, west, south, min(east, 180.0), north)
    if east > 180:
        turn = transform_bounds("EPSG:4326", crs, -180, south, east - 360, north)
        edges = edges[0], edges[1], edges[2] + turn[2] - turn[0], edges[3]
    grid = from_bounds(*edges, shape[1], shape[0])

    def layer(name: str, how: Resampling = Resampling.average) -> NDArray[np.float32]:
        out = np.full(shape, np.nan, np.float32)
        with rasterio.open(folder / f"{name}.tif") as source:
            reproject(
                rasterio.band(source, 1), out, dst_transform=grid, dst_crs=crs,
                src_nodata=np.nan, dst_nodata=np.nan, resampling=how,
            )  # fmt: skip
        return out

    moved = layer("los_displacement") if (folder / "los_displacement.tif").exists() else None
    east_part, north_part = (float(np.nanmean(layer(f"los_{way}"))) for way in ("east", "north"))
    size = np.hypot(east_part, north_part)
    return Overlay(
        bounds=(west, south, east, north),
        displacement_m=moved,
        # Phases cannot be averaged as they are, and near enough is whole fringes off.
        phase=layer("wrapped_phase", Resampling.nearest),
        coherence=layer("coherence"),
        limit_m=_limit(moved),
        toward_satellite=(east_part / size, north_part / size),
        incidence_deg=float(np.nanmean(layer("incidence_angle"))),
    )


def coloured(values: NDArray[np.float32], name: str, low: float, high: float) -> NDArray[np.uint8]:
    """Colour a layer; (rows, cols, 4), transparent where it is NaN."""
    share = np.clip((values - low) / (high - low), 0, 1)
    image: NDArray[np.uint8] = matplotlib.colormaps[name](np.nan_to_num(share), bytes=True)
    image[np.isnan(values)] = 0
    return image


def table_of(name: str) -> list[str]:
    """Give 256 colours of a scale, as a page takes them."""
    return [matplotlib.colors.to_hex(one) for one in matplotlib.colormaps[name](np.arange(256))]


def _limit(moved: NDArray[np.float32] | None) -> float:
    known = np.abs(moved[np.isfinite(moved)]) if moved is not None else np.empty(0)
    return max(_LEAST_M, float(np.percentile(known, 99.5))) if known.size else _LEAST_M
