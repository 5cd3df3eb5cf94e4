"""Whether the ground moved: the map of motion against the noise of its own quiet parts.

Motion is averaged over a kilometre, and the plane that most of the map agrees on is taken off, for
orbits leave one. What then differs from the middle of the map by more than five standard deviations
of the noise, over three connected square kilometres, is called deformation. The noise is read from
differences over half the map; where deformation itself fills the map these are too large, so it is
taken to be at most 1.5 times what the troposphere usually makes of that distance, 2.5 mm sqrt(km)
(Emardson et al., 2003).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from geobservatory.insar.map_grid import MapGrid

_BLOCK_M = 1000.0
_LIMIT = 5.0
_LEAST_KM2 = 3.0
_FARTHEST_KM = 40.0
_TROPOSPHERE_M = 1.5 * 2.5e-3
_LEAST_NOISE_M = 1e-3
_GAUSSIAN = 1.4826  # standard deviation from the median of absolute values


@dataclass(frozen=True)
class Deformation:
    """What a map of motion shows; metres, positive toward the satellite.

    Attributes
    ----------
    detected
        Whether the ground moved by more than the limit over three square kilometres.
    limit_m
        The least motion, averaged over a kilometre, that would have been called deformation; NaN
        where there is nothing to judge.
    highest_m, lowest_m
        Largest motion toward and away from the satellite, averaged over a kilometre, the plane
        taken off.
    area_km2
        Of what was detected.
    ramp_m_per_100km
        Slope of the plane that fits the map best, toward east and toward north.
    noise_m
        Standard deviation of the noise.
    """

    detected: bool
    limit_m: float
    highest_m: float
    lowest_m: float
    area_km2: float
    ramp_m_per_100km: tuple[float, float]
    noise_m: float


def find_deformation(displacement_m: NDArray[np.float32], grid: MapGrid) -> Deformation:
    """Judge a map of line-of-sight motion.

    Parameters
    ----------
    displacement_m
        (rows, cols) of the grid, NaN where it is not known or not to be trusted.
    """
    size = max(1, round(_BLOCK_M / grid.step))
    blocks = _averaged(displacement_m, size)
    block_km = size * grid.step / 1e3
    if np.isfinite(blocks).sum() < 9:
        return Deformation(False, math.nan, math.nan, math.nan, 0.0, (math.nan, math.nan), math.nan)
    east, north = _ramp(blocks, block_km)
    rows, cols = np.indices(blocks.shape) * block_km
    level = blocks - (east * cols - north * rows)
    noise = _noise(level, block_km)
    limit = _LIMIT * noise
    moved = level - np.nanmedian(level)
    area = _area(moved > limit, block_km) + _area(moved < -limit, block_km)
    return Deformation(
        detected=area > 0,
        limit_m=limit,
        highest_m=float(np.nanmax(moved)),
        lowest_m=float(np.nanmin(moved)),
        area_km2=area,
        ramp_m_per_100km=(100 * east, 100 * north),
        noise_m=noise,
    )


def _averaged(values: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Mean over blocks that are at least half known."""
    rows, cols = values.shape[0] // size * size, values.shape[1] // size * size
    blocks = values[:rows, :cols].reshape(rows // size, size, cols // size, size)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    mean = total / np.maximum(count, 1)
    return np.where(count * 2 >= size * size, mean, np.nan)


def _noise(blocks: NDArray[np.float64], block_km: float) -> float:
    """Estimate the noise from differences over about half the map."""
    span = min(_FARTHEST_KM / block_km, max(blocks.shape) / 2)
    lag = max(1, round(span))
    differences = np.concatenate(
        [
            (blocks[lag:] - blocks[:-lag]).ravel(),
            (blocks[:, lag:] - blocks[:, :-lag]).ravel(),
        ]
    )
    differences = differences[np.isfinite(differences)]
    troposphere = _TROPOSPHERE_M * math.sqrt(lag * block_km)
    if differences.size < 9:
        return troposphere
    centre = np.median(differences)
    found = _GAUSSIAN * float(np.median(np.abs(differences - centre))) / math.sqrt(2)
    return min(max(found, _LEAST_NOISE_M), troposphere)


def _area(marked: NDArray[np.bool_], block_km: float) -> float:
    """Area of the connected regions that are large enough, square kilometres."""
    labels, count = label(marked, structure=np.ones((3, 3)))
    if not count:
        return 0.0
    areas = np.bincount(labels.ravel())[1:] * block_km**2
    return float(areas[areas >= _LEAST_KM2].sum())


def _ramp(blocks: NDArray[np.float64], block_km: float) -> tuple[float, float]:
    """Fit a plane, metres a kilometre toward east and north.

    What lies far from it, such as deformation, loses its say step by step.
    """
    rows, cols = np.nonzero(np.isfinite(blocks))
    value = blocks[rows, cols]
    plane = np.column_stack([cols * block_km, -rows * block_km, np.ones(len(rows))])
    weight = np.ones(len(rows))
    for _ in range(20):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(plane * root[:, None], value * root, rcond=None)[0]
        rest = np.abs(value - plane @ found)
        weight = 1 / np.maximum(rest, max(float(np.median(rest)) * 0.1, 1e-6))
    return float(found[0]), float(found[1])
