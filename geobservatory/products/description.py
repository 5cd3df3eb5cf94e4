"""What is to be said of an interferogram, whoever made it, in the words of this project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

from geobservatory.insar.judge import Verdict
from geobservatory.insar.map_grid import MapGrid


@dataclass(frozen=True)
class Scene:
    """One of the two passes.

    Attributes
    ----------
    products
        Names of its slices, as the archive has them, in order of time.
    mission
        ``S1A`` to ``S1D``.
    time
        Of acquisition, start, UTC.
    """

    products: tuple[str, ...]
    mission: str
    time: datetime


@dataclass(frozen=True)
class OrbitFile:
    """An orbit file that was used: its name, kind (``POEORB``, ``RESORB``, …) and checksum."""

    name: str
    kind: str
    sha256: str


@dataclass(frozen=True)
class Asset:
    """One file of the result.

    Attributes
    ----------
    roles
        As STAC has them: ``data``, ``overview``, ``metadata``, …
    sha256
        Hexadecimal.
    size
        Bytes.
    unit, data_type, nodata
        Of a raster's values: the unit, NumPy's name of their type, and what stands for nothing.
    """

    title: str
    description: str
    roles: tuple[str, ...]
    media_type: str
    sha256: str
    size: int
    unit: str | None = None
    data_type: str | None = None
    nodata: float | None = None


@dataclass(frozen=True)
class Description:
    """An interferogram on a map: what it is of, how it was made, what it is worth.

    Attributes
    ----------
    footprint
        Of the data, EPSG:4326; where it passes ±180°, split there or running on.
    direction
        Of flight.
    bursts
        Identifiers of those used.
    wavelength_m
        Of the radar.
    looks
        In range and azimuth.
    looks_effective
        Independent ones.
    spacing_m
        Cell of the map on the ground.
    dem
        Where the heights are from.
    parameters
        What was asked for.
    software
        Names and versions.
    quality
        Measures by name; NaN where there is none.
    deformation
        ``detected`` (bool), ``peak_m``, ``detection_limit_m``.
    assets
        By file name, beside the description.
    made
        When, UTC.
    """

    id: str
    title: str
    footprint: BaseGeometry
    grid: MapGrid
    reference: Scene
    secondary: Scene
    relative_orbit: int
    direction: Literal["ascending", "descending"]
    polarisation: str
    swaths: tuple[str, ...]
    bursts: tuple[str, ...]
    wavelength_m: float
    looks: tuple[int, int]
    looks_effective: float
    spacing_m: float
    perpendicular_baseline_m: float
    temporal_baseline_days: float
    orbit_files: tuple[OrbitFile, ...]
    dem: str
    parameters: Mapping[str, Any]
    software: Mapping[str, str]
    engine: str
    processing_seconds: float
    quality: Mapping[str, Any]
    verdict: Verdict
    deformation: Mapping[str, Any]
    made: datetime
    assets: Mapping[str, Asset] = field(default_factory=dict)
