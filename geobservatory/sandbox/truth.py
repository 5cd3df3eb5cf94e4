"""What is true of a simulated pass, in map and in radar geometry; its DEM and orbit files."""

import json
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import rasterio
from lxml import etree
from numpy.typing import NDArray
from rasterio.transform import from_origin

from geobservatory.files import written_whole
from geobservatory.insar.baseline import baseline_at
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.ground import ground
from geobservatory.insar.look import look
from geobservatory.sandbox.geolocation import world_dem
from geobservatory.sandbox.instrument import LINE_S, SAMPLE_M
from geobservatory.sandbox.plan import Plan, Shot, Window
from geobservatory.sandbox.product import product_name
from geobservatory.sandbox.world import COHERENCE, DELAY, EAST, HEIGHT, STEP
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

# Radar geometry is told every so many lines and samples, at their centres.
LINES, SAMPLES = 16, 64
# An orbit file reaches this far beyond its pass.
_ABOUT = np.timedelta64(15, "m")
_BANDS = ("los_displacement", "los_east", "los_north", "los_up", "coherence", "height")


def write_dem(plan: Plan, folder: Path) -> Path:
    """Write the heights the pixels were made with: above the ellipsoid, 3 seconds of arc."""
    path = folder / f"dem-{plan.scenario.name}-{plan.passing.name}-{plan.size}.tif"
    heights = plan.world.layers[::-1, :, HEIGHT]
    _write_map(plan, path, {"height": heights}, crs="EPSG:4979")
    return path


def write_truth(plan: Plan, folder: Path) -> Path:
    """Write the truth of a pass into a folder of its own.

    ``map.tif`` on the grid of the DEM and ``radar-<swath>-<burst>.tif`` every 16 lines and 64
    samples of the reference, the first date, have bands of LOS displacement by the event (metres,
    positive toward the satellite), LOS unit vector (east, north, up), temporal coherence of two
    dates, height, and the one-way delay of each date; ``truth.json`` has baselines, and the
    coherence that thermal noise leaves ground of mean brightness.
    """
    truth = folder / f"truth-{plan.scenario.name}-{plan.passing.name}-{plan.size}"
    truth.mkdir(exist_ok=True)
    latitude = plan.world.latitude + STEP * np.arange(plan.world.layers.shape[0])
    longitude = plan.world.longitude + STEP * np.arange(plan.world.layers.shape[1])
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    bands = _bands(plan, lat, lon, plan.world.layers.astype(np.float64))
    _write_map(plan, truth / "map.tif", {name: one[::-1] for name, one in bands.items()})
    for window in plan.windows:
        for burst in plan.numbers(plan.shots[0]):
            _write_radar(plan, window, burst, truth)
    with written_whole(truth / "truth.json") as beside:
        beside.write_text(json.dumps(_summary(plan), indent=2))
    return truth


def _bands(
    plan: Plan,
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    layers: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Bands at places (degrees), with the layers of the world there."""
    track, _ = plan.track(plan.shots[0])
    seen = look(track, np.radians(latitude), np.radians(longitude), layers[..., HEIGHT])
    sight = np.stack([seen.east, seen.north, seen.up], axis=-1)
    values = (
        (layers[..., EAST : EAST + 3] * sight).sum(-1),
        *np.moveaxis(sight, -1, 0),
        layers[..., COHERENCE],
        layers[..., HEIGHT],
    )
    delays = {f"delay_{shot.index}": layers[..., DELAY + shot.index] for shot in plan.shots}
    return dict(zip(_BANDS, values, strict=True)) | delays


def _write_radar(plan: Plan, window: Window, burst: int, truth: Path) -> None:
    shot = plan.shots[0]
    track, epoch = plan.track(shot)
    start = plan.burst_time(shot, window, burst)
    lines = np.arange(LINES // 2, window.swath.lines, LINES)
    samples = np.arange(SAMPLES // 2, window.samples, SAMPLES)
    time = float((start - epoch) / np.timedelta64(1, "ns")) * 1e-9 + lines * LINE_S
    distance = window.near_range_s * SPEED_OF_LIGHT / 2 + samples * SAMPLE_M
    grid = np.meshgrid(time, distance, indexing="ij")
    lat, lon, _ = ground(track, world_dem(plan), *grid)
    place = np.degrees(lat), np.degrees(lon)
    bands = _bands(plan, *place, plan.world.sample(*place))
    bands |= {"latitude": place[0], "longitude": place[1]}
    name = f"radar-{window.swath.name.lower()}-{plan.first_number + burst}.tif"
    _write(
        truth / name,
        bands,
        {"lines": f"{LINES // 2}+{LINES}k", "samples": f"{SAMPLES // 2}+{SAMPLES}k"},
    )


def _summary(plan: Plan) -> dict[str, object]:
    place = (
        np.radians(np.array(plan.scenario.event.latitude)),
        np.radians(np.array(plan.scenario.event.longitude)),
        np.array(plan.scenario.ground.base_m),
    )
    tracks = {shot.index: plan.track(shot)[0] for shot in plan.shots}
    pairs = []
    for one, other in combinations(plan.shots, 2):
        perpendicular, parallel = baseline_at(tracks[one.index], tracks[other.index], *place)
        pairs.append(
            {
                "reference": product_name(plan, one),
                "secondary": product_name(plan, other),
                "days": other.acquisition.days - one.acquisition.days,
                "spans_event": other.after_event and not one.after_event,
                "perpendicular_m": float(perpendicular),
                "parallel_m": float(parallel),
            }
        )
    return {
        "scenario": plan.scenario.name,
        "pass": plan.passing.name,
        "size": str(plan.size),
        "thermal_coherence": 1 / (1 + 10 ** (plan.scenario.noise_db / 10)),
        "azimuth_times_s": {
            shot.index: float(geo2rdr(tracks[shot.index], *place)[0]) for shot in plan.shots
        },
        "pairs": pairs,
    }


def write_orbit(plan: Plan, shot: Shot, folder: Path) -> Path:
    """Write the precise orbit file of a date: the exact path, every 10 s, about its pass.

    Real ones cover a day. In the sandbox every pass has a path of its own, good for it alone.
    """
    start, stop = (one.astype("datetime64[s]") for one in plan.span(shot))
    first, last = start - _ABOUT, stop + _ABOUT
    created = start.astype("datetime64[D]") + np.timedelta64(20, "D") + np.timedelta64(29198, "s")
    stamp = [
        str(one.astype("datetime64[s]")).replace("-", "").replace(":", "")
        for one in (created, first, last)
    ]
    name = f"{plan.passing.mission}_OPER_AUX_POEORB_OPOD_{stamp[0]}_V{stamp[1]}_{stamp[2]}"
    orbit = shot.path.orbit(first, last, source="POEORB")
    times = orbit.epoch + np.round(orbit.times_s).astype("timedelta64[s]")
    root = etree.Element("Earth_Explorer_File")
    header = etree.SubElement(root, "Earth_Explorer_Header")
    fixed = etree.SubElement(header, "Fixed_Header")
    for tag, value in {
        "File_Name": name,
        "Mission": f"Sentinel-{plan.passing.mission[1:]}",
        "File_Type": "AUX_POEORB",
    }.items():
        etree.SubElement(fixed, tag).text = value
    validity = etree.SubElement(fixed, "Validity_Period")
    etree.SubElement(validity, "Validity_Start").text = f"UTC={first.astype('datetime64[s]')}"
    etree.SubElement(validity, "Validity_Stop").text = f"UTC={last.astype('datetime64[s]')}"
    etree.SubElement(etree.SubElement(header, "Variable_Header"), "Ref_Frame").text = "EARTH_FIXED"
    listed = etree.SubElement(etree.SubElement(root, "Data_Block", type="xml"), "List_of_OSVs")
    listed.set("count", str(len(times)))
    for time, position, velocity in zip(
        times, orbit.positions_m, orbit.velocities_m_s, strict=True
    ):
        node = etree.SubElement(listed, "OSV")
        etree.SubElement(node, "UTC").text = f"UTC={time.astype('datetime64[us]')}"
        etree.SubElement(node, "Absolute_Orbit").text = f"+{shot.absolute_orbit}"
        for axis, value in zip("XYZ", position, strict=True):
            etree.SubElement(node, axis, unit="m").text = f"{value:.6f}"
        for axis, value in zip("XYZ", velocity, strict=True):
            etree.SubElement(node, f"V{axis}", unit="m/s").text = f"{value:.6f}"
        etree.SubElement(node, "Quality").text = "NOMINAL"
    path = folder / f"{name}.EOF"
    with written_whole(path) as beside:
        beside.write_bytes(
            etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
        )
    return path


def _write_map(plan: Plan, path: Path, bands: dict[str, NDArray], crs: str = "EPSG:4326") -> None:
    """Write bands whose first row is the northernmost; nodes of the world are cell centres."""
    rows = plan.world.layers.shape[0]
    north = plan.world.latitude + (rows - 1) * STEP
    origin = from_origin(plan.world.longitude - STEP / 2, north + STEP / 2, STEP, STEP)
    _write(path, bands, {}, crs=crs, transform=origin)


def _write(path: Path, bands: dict[str, NDArray], tags: dict[str, str], **profile: object) -> None:
    rows, cols = next(iter(bands.values())).shape
    with written_whole(path) as beside, warnings.catch_warnings():
        # Radar geometry has no geotransform.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            beside, "w", driver="GTiff", height=rows, width=cols, count=len(bands),
            dtype="float32", nodata=np.nan, compress="deflate", predictor=3, **profile,
        ) as tiff:  # fmt: skip
            for index, (name, values) in enumerate(bands.items(), start=1):
                tiff.write(values.astype(np.float32), index)
                tiff.set_band_description(index, name)
            tiff.update_tags(**tags)
