"""The description as a SpatioTemporal Asset Catalog Item (STAC 1.1), ``metadata.json``.

What STAC and its extensions (sar, sat, projection, processing, file) have a field for stands there;
what is of this project alone has the prefix ``geobs:``. A band's type, unit and value for nothing
are common fields since STAC 1.1, so that the raster extension is not needed.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from shapely import MultiPolygon, Polygon
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.globe import bounding_box, within_180
from geobservatory.products.description import Asset, Description, Scene

SPEED_OF_LIGHT = 299_792_458.0
EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "sar/v1.0.0",
        "sat/v1.0.0",
        "projection/v2.0.0",
        "processing/v1.2.0",
        "file/v2.1.0",
    )
)
CONVENTIONS = {
    "interferogram": (
        "reference · conj(secondary), the reference being the earlier image; phase of flat earth "
        "and topography removed"
    ),
    "phase": (
        "4π/λ · (R_secondary − R_reference) with R the slant range, radians: positive where the "
        "ground moved away from the satellite"
    ),
    "displacement": (
        "−λ/4π · unwrapped phase, metres along the line of sight: positive toward the satellite"
    ),
    "line_of_sight": "unit vector from the ground to the satellite; components east, north, up",
    "height": "above the WGS84 ellipsoid, metres",
}
_MULTIHASH_SHA256 = "1220"


def make_item(about: Description) -> dict[str, Any]:
    """Describe an interferogram as a STAC Item.

    Its `datetime` is the secondary's, since the map shows what had happened by then; the interval
    from `start_datetime` to `end_datetime` is the one in which it happened.

    Returns
    -------
    item
        Of what JSON has: no NaN (null stands for it), no tuple, no NumPy.

    Raises
    ------
    InputError
        If a time has no zone, the secondary is not the later, the footprint is empty, or a checksum
        is not one.
    """
    start, end = _utc(about.reference), _utc(about.secondary)
    if not start < end:
        raise InputError(f"{about.id}: the secondary ({end}) is not later than the reference")
    footprint = _footprint(about)
    item = pystac.Item(
        about.id,
        geometry=mapping(footprint),
        bbox=list(bounding_box(footprint)),
        datetime=end,
        start_datetime=start,
        end_datetime=end,
        properties=_properties(about),
        stac_extensions=list(EXTENSIONS),
    )
    for name, asset in about.assets.items():
        item.add_asset(name, _asset(name, asset))
    plain: dict[str, Any] = _plain(item.to_dict(include_self_link=False))
    # The extensions' schemas know no null: a number that is not known is left out.
    plain["properties"] = {
        name: value
        for name, value in plain["properties"].items()
        if value is not None or name.startswith("geobs:")
    }
    return plain


def write_item(path: Path, item: Mapping[str, Any]) -> None:
    """Write an Item as JSON, whole under its final name.

    Raises
    ------
    InputError
        If it holds what JSON cannot (NaN among it).
    OSError
        If the file cannot be written.
    """
    try:
        text = json.dumps(item, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be written as JSON: {error}") from error
    with written_whole(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def _utc(scene: Scene) -> datetime:
    if scene.time.utcoffset() != timedelta(0):
        raise InputError(f"{scene.products[0]}: its time {scene.time} has to be in UTC, and say so")
    return scene.time.astimezone(UTC)


def _footprint(about: Description) -> BaseGeometry:
    area = about.footprint
    if area.is_empty or not isinstance(area, Polygon | MultiPolygon):
        raise InputError(f"{about.id}: its footprint is an empty or flat {area.geom_type}")
    if isinstance(area, Polygon):
        area = within_180(area)
    # Outer rings counter-clockwise, as GeoJSON has them (RFC 7946, section 3.1.6).
    parts = [orient(part) for part in getattr(area, "geoms", [area])]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _properties(about: Description) -> dict[str, Any]:
    platforms = sorted({_platform(one.mission) for one in (about.reference, about.secondary)})
    return {
        "title": about.title,
        "created": about.made.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "constellation": "sentinel-1",
        # The field holds one; of two, the list below tells.
        **({"platform": platforms[0]} if len(platforms) == 1 else {}),
        "instruments": ["c-sar"],
        "gsd": about.spacing_m,
        **_radar(about),
        **_projection(about),
        "processing:software": dict(about.software),
        "processing:lineage": _lineage(about),
        **{f"geobs:{name}": value for name, value in _own(about, platforms).items()},
    }


def _platform(mission: str) -> str:
    return f"sentinel-{mission.removeprefix('S').lower()}"


def _radar(about: Description) -> dict[str, Any]:
    return {
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:center_frequency": SPEED_OF_LIGHT / about.wavelength_m / 1e9,
        "sar:polarizations": [about.polarisation],
        "sar:product_type": "INSAR",
        "sar:looks_range": about.looks[0],
        "sar:looks_azimuth": about.looks[1],
        "sar:looks_equivalent_number": about.looks_effective,
        "sar:observation_direction": "right",
        "sat:orbit_state": about.direction,
        "sat:relative_orbit": about.relative_orbit,
    }


def _projection(about: Description) -> dict[str, Any]:
    grid = about.grid
    right, bottom = grid.left + grid.cols * grid.step, grid.top - grid.rows * grid.step
    return {
        "proj:code": grid.crs,
        "proj:transform": [grid.step, 0.0, grid.left, 0.0, -grid.step, grid.top],
        "proj:shape": [grid.rows, grid.cols],
        "proj:bbox": [grid.left, bottom, right, grid.top],
    }


def _lineage(about: Description) -> str:
    looks = f"{about.looks[0]} × {about.looks[1]} looks"
    return (
        f"Differential interferogram of {', '.join(about.reference.products)} (reference) and "
        f"{', '.join(about.secondary.products)} (secondary) by the engine {about.engine}: {looks}, "
        f"topography removed by {about.dem}, orbits of "
        f"{', '.join(one.name for one in about.orbit_files) or 'the products'}, geocoded to "
        f"{about.grid.crs}."
    )


def _own(about: Description, platforms: list[str]) -> dict[str, Any]:
    images = {"reference": about.reference, "secondary": about.secondary}
    return {
        **{
            which: {
                "products": list(one.products),
                "mission": one.mission,
                "time": _utc(one).isoformat(),
            }
            for which, one in images.items()
        },
        "platforms": platforms,
        "swaths": about.swaths,
        "bursts": about.bursts,
        "wavelength_m": about.wavelength_m,
        "perpendicular_baseline_m": about.perpendicular_baseline_m,
        "temporal_baseline_days": about.temporal_baseline_days,
        "orbit_files": [
            {"name": one.name, "kind": one.kind, "sha256": one.sha256} for one in about.orbit_files
        ],
        "dem": about.dem,
        "parameters": about.parameters,
        "engine": about.engine,
        "processing_seconds": about.processing_seconds,
        "quality": about.quality,
        "verdict": about.verdict.level.value,
        "reasons": about.verdict.reasons,
        "deformation": about.deformation,
        "conventions": CONVENTIONS,
    }


def _asset(name: str, asset: Asset) -> pystac.Asset:
    if len(asset.sha256) != 64 or set(asset.sha256) - set("0123456789abcdef"):
        raise InputError(f"{name}: {asset.sha256!r} is no SHA-256, 64 digits of 0-9 and a-f")
    band: dict[str, Any] = {}
    if asset.data_type is not None:
        band = {"name": Path(name).stem, "data_type": asset.data_type}
        if asset.unit is not None:
            band["unit"] = asset.unit
        if asset.nodata is not None:
            band["nodata"] = "nan" if math.isnan(asset.nodata) else asset.nodata
    more = {"file:checksum": _MULTIHASH_SHA256 + asset.sha256, "file:size": asset.size}
    return pystac.Asset(
        f"./{name}",
        asset.title,
        asset.description,
        asset.media_type,
        list(asset.roles),
        {**more, **({"bands": [band]} if band else {})},
    )


def _plain(value: Any) -> Any:
    """Bring what Python and NumPy have to what JSON has; what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value
