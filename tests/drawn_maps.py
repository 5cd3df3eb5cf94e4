"""Finished maps drawn from closed forms: what every engine leaves, without an engine's run."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import box

from geobservatory.insar.judge import Level, Verdict
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.cog import write_cog
from geobservatory.products.description import Asset, Description, Scene
from geobservatory.products.stac import make_item, write_item

WAVELENGTH_M = 0.05546576
HEADING_DEG = {"descending": -167.0, "ascending": -13.0}
# A tile of Al Haouz, UTM 29 north.
GRID = MapGrid("EPSG:32629", 556_000.0, 3_460_000.0, 40.0, 90, 120)

Motion = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def bulge(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uplift of 8 cm in the middle of the tile, metres."""
    away = np.hypot(x - 558_400.0, y - 3_458_200.0)
    return 0.08 * np.exp(-((away / 900.0) ** 2))


@dataclass(frozen=True)
class Drawn:
    """What a map is to show."""

    grid: MapGrid = GRID
    days: tuple[str, str] = ("20230904", "20230916")
    direction: str = "descending"
    orbit: int = 52
    uplift: Motion = bulge
    baseline_m: float = 34.5
    unwrapped: bool = True
    title: str = "M 6.8 Al Haouz"

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Projected coordinates of the cells' centres, (rows, cols)."""
        grid = self.grid
        x = grid.left + (np.arange(grid.cols) + 0.5) * grid.step
        y = grid.top - (np.arange(grid.rows) + 0.5) * grid.step
        return tuple(np.meshgrid(x, y))

    def sight(self) -> tuple[NDArray[np.float32], ...]:
        """East, north, up of the vector to the satellite, which looks to the right."""
        x, _ = self.centres()
        side = 1.0 if self.direction == "ascending" else -1.0
        middle = self.grid.left + self.grid.cols * self.grid.step / 2
        # A little steeper toward the satellite, as in a real swath.
        incidence = np.radians(38.0 + side * (x - middle) / 20_000.0)
        toward = math.radians(HEADING_DEG[self.direction] - 90.0)
        east, north = np.sin(incidence) * math.sin(toward), np.sin(incidence) * math.cos(toward)
        return tuple(one.astype(np.float32) for one in (east, north, np.cos(incidence)))

    def motion(self) -> NDArray[np.float64]:
        """Motion toward the satellite, metres."""
        return self.uplift(*self.centres()) * self.sight()[2]


def draw(folder: Path, drawn: Drawn = Drawn(), products: tuple[str, str] | None = None) -> Path:
    """Write a map as engines do; a corner of it holds nothing."""
    folder.mkdir(parents=True)
    x, y = drawn.centres()
    hole = (x - x.min() < 400) & (y - y.min() < 400)
    motion = drawn.motion()
    phase = -4 * math.pi / WAVELENGTH_M * motion
    east, north, up = drawn.sight()
    layers: dict[str, tuple[NDArray, str, str]] = {
        "wrapped_phase": (np.angle(np.exp(1j * phase)), "radian", "Wrapped phase"),
        "coherence": (np.full(x.shape, 0.8), "1", "Coherence"),
        "amplitude": (np.full(x.shape, 120.0), "1", "Amplitude"),
        "los_sigma": (np.full(x.shape, 0.002), "m", "Standard deviation"),
        "los_east": (east, "1", "Component east"),
        "los_north": (north, "1", "Component north"),
        "los_up": (up, "1", "Component up"),
        "incidence_angle": (np.degrees(np.arccos(up)), "degree", "Incidence"),
        "height": (900.0 + 0.05 * (x - x.min()), "m", "Height"),
    }
    if drawn.unwrapped:
        layers["unwrapped_phase"] = phase, "radian", "Unwrapped phase"
        layers["los_displacement"] = motion, "m", "Displacement toward the satellite"
    assets = {}
    for name, (values, unit, title) in layers.items():
        values = values.astype(np.float32)
        if name in ("wrapped_phase", "unwrapped_phase", "los_displacement", "coherence"):
            values[hole] = np.nan
        assets[f"{name}.tif"] = _write(folder / f"{name}.tif", values, drawn.grid, unit, title)
    flags = np.where(hole, 32, 0).astype(np.uint8)
    # Water, and layover beside it.
    flags[:4, :4], flags[:4, 4:8] = 8, 1
    assets["mask.tif"] = _write(folder / "mask.tif", flags, drawn.grid, "1", "Bits")
    if drawn.unwrapped:
        pieces = np.where(hole, 0, 1).astype(np.uint16)
        path = folder / "connected_components.tif"
        assets[path.name] = _write(path, pieces, drawn.grid, "1", "Component")
    about = replace(_described(drawn, products), assets=assets)
    write_item(folder / "metadata.json", make_item(about))
    return folder


def _write(path: Path, values: NDArray, grid: MapGrid, unit: str, title: str) -> Asset:
    floating = values.dtype.kind == "f"
    write_cog(
        path, values, grid, description=title, units=unit, nodata=None if floating else 0,
        overviews="average" if floating else "nearest",
    )  # fmt: skip
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Asset(
        title, title, ("data",), "image/tiff", digest, path.stat().st_size, unit,
        values.dtype.name, math.nan if floating else 0,
    )  # fmt: skip


def _described(drawn: Drawn, products: tuple[str, str] | None) -> Description:
    names = products or tuple(
        f"S1A_IW_SLC__1SSV_{day}T063732_{day}T063748_050174_0609E3_B6FE" for day in drawn.days
    )
    times = [datetime.strptime(f"{day}T063732Z", "%Y%m%dT%H%M%S%z") for day in drawn.days]
    return Description(
        id="-".join(drawn.days),
        title=drawn.title,
        footprint=box(-8.42, 31.2, -8.35, 31.26),
        grid=drawn.grid,
        reference=Scene((names[0],), "S1A", times[0].astimezone(UTC)),
        secondary=Scene((names[1],), "S1A", times[1].astimezone(UTC)),
        relative_orbit=drawn.orbit,
        direction=drawn.direction,  # type: ignore[arg-type]
        polarisation="VV",
        swaths=("IW1", "IW2"),
        bursts=("109917_IW2",),
        wavelength_m=WAVELENGTH_M,
        looks=(8, 2),
        looks_effective=11.0,
        spacing_m=drawn.grid.step,
        perpendicular_baseline_m=drawn.baseline_m,
        temporal_baseline_days=12.0,
        orbit_files=(),
        dem="glo30",
        parameters={"unwrapper": "whirlwind 0.10"},
        software={"geobservatory": "0"},
        engine="native",
        processing_seconds=1.0,
        quality={},
        verdict=Verdict(Level.GOOD, ()),
        deformation={},
        made=datetime(2023, 9, 17, tzinfo=UTC),
    )
