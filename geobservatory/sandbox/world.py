"""The ground of a scenario on one grid: heights, motion, coherence, brightness, delays.

Every layer lies on the nodes of a longitude-latitude grid of 3 seconds of arc, bilinear between
them, and is a function of the place and the seed alone: a larger area holds the same hills.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import expit, ndtri

from geobservatory.events.okada import displacement
from geobservatory.sandbox.geoid import undulation
from geobservatory.sandbox.scenario import Acquisition, Scenario

STEP = 1 / 1200
# Layers of the grid, in this order; delays of the acquisitions follow.
HEIGHT, EAST, NORTH, UP, COHERENCE, AMPLITUDE, DELAY = range(7)
# Periods of the noise that everything is made of, degrees, and cells in each.
_COARSE, _FINE, _CELLS = 2.56, 0.29, 512
_EARTH_M = 6_371_000.0


@dataclass(frozen=True)
class World:
    """Layers over an area.

    Attributes
    ----------
    layers
        (rows, cols, 6 + acquisitions) float32: height above the ellipsoid, displacement by the
        event (east, north, up), temporal coherence of two dates, root of the brightness, then for
        each acquisition the one-way delay along the line of sight; metres.
    longitude, latitude
        Of the first node, degrees; rows go north.
    """

    layers: NDArray[np.float32]
    longitude: float
    latitude: float

    def sample(
        self, latitude: NDArray[np.float64], longitude: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Layers at places (degrees, any one shape): (..., layers); NaN outside."""
        rows = (np.asarray(latitude) - self.latitude) / STEP
        cols = ((np.asarray(longitude) - self.longitude + 180) % 360 - 180) / STEP
        flat = np.stack([rows.ravel(), cols.ravel()])
        layers = [
            map_coordinates(self.layers[..., k], flat, order=1, mode="constant", cval=np.nan)
            for k in range(self.layers.shape[2])
        ]
        return np.stack(layers, axis=-1).reshape(*rows.shape, -1).astype(np.float64)


def make_world(
    scenario: Scenario,
    acquisitions: tuple[Acquisition, ...],
    bounds: tuple[float, float, float, float],
) -> World:
    """Lay out the ground over an area.

    Parameters
    ----------
    scenario
        The world, and what happens in it.
    acquisitions
        Whose delays are needed.
    bounds
        West, south, east, north, degrees; east may be past 180.
    """
    west, south = np.floor(bounds[0] / STEP) * STEP, np.floor(bounds[1] / STEP) * STEP
    cols = int(np.ceil((bounds[2] - west) / STEP)) + 2
    rows = int(np.ceil((bounds[3] - south) / STEP)) + 2
    longitude = west + STEP * np.arange(cols)
    latitude = south + STEP * np.arange(rows)
    ground, seed = scenario.ground, scenario.ground.seed
    layers = np.empty((rows, cols, DELAY + len(acquisitions)), np.float32)

    layers[..., HEIGHT], sea = heights(scenario, latitude, longitude)

    lat, lon = np.meshgrid(np.radians(latitude), np.radians(longitude), indexing="ij")
    sources = [one.dislocation() for one in scenario.event.sources]
    if sources:
        moved = displacement(sources, lat, lon)
        for layer, one in zip((EAST, NORTH, UP), moved, strict=True):
            layers[..., layer] = one
    else:
        layers[..., EAST : UP + 1] = 0

    green = _noise(latitude, longitude, seed + 1, power=2.8, longest=0.15)
    # The share of a normal distribution above the threshold; no sharp edge to what grows.
    threshold = ndtri(1 - np.clip(ground.vegetation, 1e-9, 1 - 1e-9))
    covered = expit((green - threshold) * 8)
    layers[..., COHERENCE] = np.where(sea, 0, ground.coherence * (1 - 0.8 * covered))
    texture = _noise(latitude, longitude, seed + 2, power=2.4, longest=0.05)
    decibels = ground.brightness_db * texture
    layers[..., AMPLITUDE] = np.where(sea, 10 ** (-15 / 20), 10 ** (decibels / 20))

    east_m = (lon - np.radians(scenario.event.longitude)) * np.cos(lat) * _EARTH_M
    north_m = (lat - np.radians(scenario.event.latitude)) * _EARTH_M
    for k, acquisition in enumerate(acquisitions):
        # Turbulence in a thick layer: a spectrum that falls with 8/3 (Hanssen, 2001, 4.7).
        turbulent = _noise(latitude, longitude, seed + 1000 + round(acquisition.days), 8 / 3, 0.8)
        ramp = (acquisition.ramp_m[0] * east_m + acquisition.ramp_m[1] * north_m) / 100e3
        layers[..., DELAY + k] = acquisition.atmosphere_m * turbulent + ramp
    return World(layers, float(west), float(south))


def heights(
    scenario: Scenario, latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Heights above the ellipsoid, and what is sea, on the grid of latitudes and longitudes.

    Degrees; (rows,) and (cols,) to (rows, cols).
    """
    ground = scenario.ground
    hills = _noise(latitude, longitude, ground.seed, power=3.4, longest=0.5)
    height = ground.base_m + ground.relief_m * hills
    if ground.sea_m is None:
        return height, np.zeros(height.shape, bool)
    level = ground.sea_m + undulation(latitude[:, None], longitude[None, :])
    return np.maximum(height, level), height < level


def _noise(
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    seed: int,
    power: float,
    longest: float,
) -> NDArray[np.float64]:
    """Random field of unit variance on a grid: a period of coarse waves, and a finer one on it.

    The power spectral density falls with the wavenumber to minus `power`, from waves of `longest`
    degrees down to some 120 m.
    """
    coarse = _period(seed, power, longest / _COARSE)
    fine = _period(seed + 500, power, 2 * _COARSE / _CELLS / _FINE)
    # Power left in the waves that are shorter than the coarse ones, by integrating the spectrum.
    left = (2 * _COARSE / _CELLS / longest) ** (power - 2)
    field = np.zeros((len(latitude), len(longitude)))
    for values, period, weight in ((coarse, _COARSE, 1 - left), (fine, _FINE, left)):
        rows, cols = latitude / period * _CELLS % _CELLS, longitude / period * _CELLS % _CELLS
        at = np.meshgrid(rows, cols, indexing="ij")
        field += np.sqrt(weight) * map_coordinates(values, at, order=3, mode="grid-wrap")
    return field


def _period(seed: int, power: float, longest: float) -> NDArray[np.float64]:
    """One period of a random field by spectral synthesis; `longest` as a share of the period."""
    white = np.fft.rfft2(np.random.default_rng(seed).standard_normal((_CELLS, _CELLS)))
    frequency = np.hypot(
        *np.meshgrid(np.fft.fftfreq(_CELLS), np.fft.rfftfreq(_CELLS), indexing="ij")
    )
    lowest = 1 / (longest * _CELLS)
    # Waves longer than the longest are no stronger than it.
    white *= np.maximum(frequency, lowest) ** (-power / 2)
    white[0, 0] = 0
    field = np.fft.irfft2(white, s=(_CELLS, _CELLS))
    return np.asarray(field / field.std())
