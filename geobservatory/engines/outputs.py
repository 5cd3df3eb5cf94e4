"""Write the layers of a map, its picture and its metadata into a folder."""

import hashlib
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory import __version__
from geobservatory.engines.inputs import Inputs
from geobservatory.engines.maps import Maps
from geobservatory.engines.request import Progress, Request, Result
from geobservatory.engines.work import METADATA
from geobservatory.insar.baseline import baseline_of
from geobservatory.insar.geocode import line_of_sight
from geobservatory.insar.judge import Quality, Verdict
from geobservatory.insar.masks import MEANINGS
from geobservatory.products.cog import write_cog
from geobservatory.products.description import Asset, Description, OrbitFile, Scene
from geobservatory.products.panels import Layers
from geobservatory.products.quicklook import Legend, draw_quicklook
from geobservatory.products.stac import make_item, write_item
from geobservatory.sentinel1.safe import SafeProduct

_SIGHT = "of the unit vector from the ground to the satellite"


@dataclass(frozen=True)
class _Layer:
    """A file of the result."""

    name: str
    title: str
    unit: str
    values: NDArray[Any]
    smooth: Literal["average", "nearest"] = "average"
    nodata: int | None = None


@dataclass(frozen=True)
class Account:
    """How a map was made, for its metadata.

    Attributes
    ----------
    looks
        Independent ones of a cell.
    parameters, software
        What was done, in the engine's own words; names and versions of programs beside ours.
    seconds
        What the work took so far.
    kept
        Files to be kept with the map, as provenance: the program's log, its graph or script.
    """

    engine: str
    looks: float
    parameters: Mapping[str, Any]
    software: Mapping[str, str]
    seconds: float
    kept: tuple[Path, ...] = ()


def write_outputs(
    folder: Path,
    inputs: Inputs,
    request: Request,
    maps: Maps,
    account: Account,
    quality: Quality,
    verdict: Verdict,
    progress: Progress,
) -> Result:
    """Write everything that a request asked for, whichever engine made it.

    Parameters
    ----------
    progress
        Told shares of this part alone.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    assets: dict[str, Asset] = {}
    count = 11 + 3 * (maps.unwrapped is not None)
    for layer in _layers(inputs, maps):
        progress(f"writing {layer.name}", len(assets) / count)
        path = folder / f"{layer.name}.tif"
        write_cog(
            path, layer.values, maps.lookup.grid, description=layer.title, units=layer.unit,
            nodata=layer.nodata, tags={"geobservatory": __version__}, overviews=layer.smooth,
            threads=numba.get_num_threads(),
        )  # fmt: skip
        assets[path.name] = _asset(path, layer)
    progress("drawing", 1 - 1 / count)
    description = _described(inputs, request, maps, account, quality, verdict)
    picture = folder / "quicklook.png"
    _draw(picture, inputs, request, maps, verdict, description)
    assets[picture.name] = Asset(
        "Quicklook", "The map as a picture", ("overview",), "image/png", *_state(picture)
    )
    for path in account.kept:
        assets[path.name] = _keep(path, folder / path.name, account.engine)
    item = make_item(replace(description, assets=assets))
    write_item(folder / METADATA, item)
    return Result(request.out, str(verdict.level), verdict.reasons, item)


def _layers(inputs: Inputs, maps: Maps) -> Iterator[_Layer]:
    """Give the layers one after the other; those that are made for their file alone, as needed."""
    yield _Layer("wrapped_phase", "Wrapped phase", "radian", maps.wrapped, "nearest")
    if maps.unwrapped is not None:
        yield _Layer("unwrapped_phase", "Unwrapped phase", "radian", maps.unwrapped)
    yield _Layer("coherence", "Coherence", "1", maps.coherence)
    yield _Layer("amplitude", "Amplitude of the reference, digital numbers", "1", maps.amplitude)
    if maps.displacement_m is not None and maps.components is not None:
        yield _Layer(
            "los_displacement",
            "Displacement along the line of sight, positive toward the satellite",
            "m",
            maps.displacement_m,
        )
        yield _Layer(
            "connected_components",
            "Connected component of the unwrapping, by size; 0 none",
            "1",
            maps.components,
            "nearest",
            0,
        )
    yield _Layer(
        "los_sigma", "Standard deviation of the displacement, by coherence", "m", maps.deviation_m
    )
    sight = line_of_sight(maps.lookup, inputs.layout, inputs.flown[0])
    for name, values in zip(("east", "north", "up"), sight, strict=True):
        yield _Layer(f"los_{name}", f"Component {name} {_SIGHT}", "1", values)
    yield _Layer(
        "incidence_angle",
        "Angle between line of sight and the ellipsoid's normal",
        "degree",
        np.degrees(np.arccos(sight[2])),
    )
    yield _Layer("height", "Height above the WGS84 ellipsoid", "m", maps.lookup.height_m)
    bits = ", ".join(f"{bit} {meaning}" for bit, meaning in MEANINGS.items())
    yield _Layer("mask", f"Bits: {bits}", "1", maps.mask, "nearest")


def _asset(path: Path, layer: _Layer) -> Asset:
    floating = layer.values.dtype.kind == "f"
    return Asset(
        title=layer.name.replace("_", " ").capitalize().replace("Los ", "LOS "),
        description=layer.title,
        roles=("data",),
        media_type="image/tiff; application=geotiff; profile=cloud-optimized",
        sha256=_state(path)[0],
        size=_state(path)[1],
        unit=layer.unit,
        data_type=layer.values.dtype.name,
        nodata=math.nan if floating else layer.nodata,
    )


def _keep(path: Path, target: Path, engine: str) -> Asset:
    """Put a file of provenance beside the layers."""
    shutil.copyfile(path, target)
    kinds = {".json": "application/json", ".xml": "application/xml"}
    return Asset(
        title=path.name,
        description=f"Kept of the work of the engine {engine}",
        roles=("metadata",),
        media_type=kinds.get(path.suffix, "text/plain"),
        sha256=_state(target)[0],
        size=_state(target)[1],
    )


def _state(path: Path) -> tuple[str, int]:
    """Checksum and size of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _draw(
    path: Path,
    inputs: Inputs,
    request: Request,
    maps: Maps,
    verdict: Verdict,
    description: Description,
) -> None:
    days = f"{description.reference.time:%Y-%m-%d} to {description.secondary.time:%Y-%m-%d}"
    track = f"track {description.relative_orbit}, {description.direction}"
    reasons = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
    event = request.event
    place = None
    if event is not None and event.longitude is not None and event.latitude is not None:
        place = event.longitude, event.latitude
    draw_quicklook(
        path,
        Layers(
            grid=maps.lookup.grid,
            wrapped=maps.wrapped,
            coherence=maps.coherence,
            displacement_m=maps.displacement_m,
            amplitude=maps.amplitude,
            height_m=maps.lookup.height_m,
        ),
        Legend(
            title=event.title if event is not None else "Sentinel-1 interferogram",
            lines=(
                f"{days}, {track}, {description.polarisation}, perpendicular baseline "
                f"{description.perpendicular_baseline_m:+.0f} m",
                f"Verdict: {verdict.level}{reasons}",
            ),
            event=place,
            flight=_heading(inputs),
            look=_heading(inputs) + math.pi / 2,
            area=request.area,
        ),
    )


def _heading(inputs: Inputs) -> float:
    """Direction of flight over the middle of the scene, clockwise from north, radians."""
    grid = inputs.pair.reference.geolocation_grid
    # Along the first samples of the lines: parallel to the track.
    first = np.flatnonzero(grid.pixel == grid.pixel.min())
    start, stop = first[np.argmin(grid.line[first])], first[np.argmax(grid.line[first])]
    north = math.radians(grid.latitude[stop] - grid.latitude[start])
    turn = (grid.longitude[stop] - grid.longitude[start] + 180) % 360 - 180
    east = math.radians(turn) * math.cos(math.radians(grid.latitude[start]))
    return math.atan2(east, north)


def _scene(slices: tuple[SafeProduct, ...]) -> Scene:
    first = slices[0].name
    return Scene(tuple(str(one.name) for one in slices), first.mission, first.start)


def _described(
    inputs: Inputs,
    request: Request,
    maps: Maps,
    account: Account,
    quality: Quality,
    verdict: Verdict,
) -> Description:
    """Say what was made, of what, and how."""
    layout, annotation = inputs.layout, inputs.pair.reference
    reference, secondary = _scene(inputs.reference), _scene(inputs.secondary)
    apart = [baseline_of(tile.pair, inputs.flown) for tile in layout.tiles]
    used = {tile.pair.identity for tile in layout.tiles}
    deformation, heights = quality.deformation, request.heights.source
    return Description(
        id=(
            f"S1-{inputs.relative_orbit:03d}-{reference.time:%Y%m%dT%H%M%S}-"
            f"{secondary.time:%Y%m%dT%H%M%S}-{inputs.polarisation}"
        ),
        title=request.event.title if request.event is not None else "Interferogram",
        footprint=inputs.footprint,
        grid=maps.lookup.grid,
        reference=reference,
        secondary=secondary,
        relative_orbit=inputs.relative_orbit,
        direction="ascending" if annotation.direction == "ascending" else "descending",
        polarisation=inputs.polarisation,
        swaths=tuple(sorted({one.swath for one in used})),
        bursts=tuple(str(one) for one in sorted(used)),
        wavelength_m=annotation.wavelength_m,
        looks=(layout.looks[1], layout.looks[0]),
        looks_effective=account.looks,
        spacing_m=request.spacing_m,
        perpendicular_baseline_m=float(np.mean([one.perpendicular_m for one in apart])),
        temporal_baseline_days=apart[0].temporal_days,
        orbit_files=tuple(
            OrbitFile(one.file.name, one.orbit.source, _state(one.file)[0])
            for one in inputs.orbits
            if one.file is not None
        ),
        # Where a file lies on this machine is nobody's business.
        dem=inputs.dem.source.replace(str(heights), Path(heights).name),
        parameters={**account.parameters, "reference_phase": maps.reference_phase},
        software={"geobservatory": __version__, **account.software},
        engine=account.engine,
        processing_seconds=account.seconds,
        quality={name: one for name, one in asdict(quality).items() if name != "deformation"},
        verdict=verdict,
        deformation={} if deformation is None else asdict(deformation),
        made=datetime.now(UTC),
    )
