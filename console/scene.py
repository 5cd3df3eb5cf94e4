"""`geobs scene` and `geobs bursts`: what a Sentinel-1 product is, and which bursts matter."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table

_Product = Annotated[Path, typer.Argument(help="SAFE folder or zip.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_GeoJson = Annotated[
    Path | None, typer.Option("--geojson", help="Write the footprints to a file, for QGIS.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(scene)
    app.command()(bursts)


def scene(
    product: _Product,
    check_geometry: Annotated[
        bool,
        typer.Option("--check-geometry", help="Compare our geometry with the product's own grid."),
    ] = False,
    geojson: _GeoJson = None,
    as_json: _Json = False,
) -> None:
    """Print what a product is: mission, orbit, times, swaths, bursts; what is missing from it.

    Example: geobs scene S1A_IW_SLC__….SAFE.zip --check-geometry
    """
    from geobservatory.errors import InputError
    from geobservatory.sentinel1.bursts import place_bursts
    from geobservatory.sentinel1.safe import open_product

    opened = open_product(product)
    try:
        placed, reason = place_bursts(opened), None
    except InputError as error:
        # Of another mode, or without a manifest: the rest can still be told.
        placed, reason = [], str(error)
    if geojson is not None:
        if reason is not None:
            raise InputError(reason)
        _write_geojson(geojson, placed)
    if check_geometry:
        _print_check(opened, as_json)
        return
    described = _describe(opened, placed)
    if reason is not None:
        described["problems"].append(reason)
    if as_json:
        print_json(described)
        return
    found, problems = described.pop("bursts"), described.pop("problems")
    print_table("", ("", ""), [(k, _plain(v)) for k, v in described.items()])
    _print_bursts("Bursts", found)
    for problem in problems:
        print(problem)


def bursts(
    product: _Product,
    aoi: Annotated[Path, typer.Option("--aoi", help="GeoJSON area of interest.")],
    geojson: _GeoJson = None,
    as_json: _Json = False,
) -> None:
    """Print the bursts of a product that meet an area, and how much of it they cover.

    Example: geobs bursts S1A_IW_SLC__….SAFE.zip --aoi area.geojson
    """
    from shapely import union_all

    from geobservatory.errors import InputError
    from geobservatory.events.geojson import read_area
    from geobservatory.sentinel1.bursts import bursts_over, place_bursts
    from geobservatory.sentinel1.safe import open_product

    area = read_area(aoi)
    chosen = bursts_over(place_bursts(open_product(product)), area)
    if not chosen:
        raise InputError(f"{aoi}: no burst of {product} meets this area")
    if geojson is not None:
        _write_geojson(geojson, chosen)
    covered = area.intersection(union_all([one.footprint for one in chosen])).area / area.area
    rows = [_burst(one) for one in chosen]
    if as_json:
        print_json({"covered_fraction": round(covered, 4), "bursts": rows})
        return
    _print_bursts(f"{len(rows)} bursts meet the area and cover {covered:.0%} of it", rows)


def _describe(product: Any, placed: list[Any]) -> dict[str, Any]:
    annotations = [product.annotation(*channel) for channel in product.channels]
    first = annotations[0]
    problems = list(product.problems)
    if product.lacks_elevation_pattern_phase:
        problems.append(
            f"IPF {product.ipf_version} left the phase of the elevation antenna pattern in the "
            "image: pair it with products of IPF 2.36 and older only, or reprocess"
        )
    return {
        "name": str(product.name),
        "mission": product.name.mission,
        "relative_orbit": product.relative_orbit,
        "absolute_orbit": first.absolute_orbit,
        "direction": first.direction,
        "start": str(min(one.start_time for one in annotations)) + "Z",
        "stop": str(max(one.stop_time for one in annotations)) + "Z",
        "ipf_version": product.ipf_version,
        "swaths": sorted({swath for swath, _ in product.channels}),
        "polarisations": sorted({polarisation for _, polarisation in product.channels}),
        "bursts": [_burst(one) for one in placed],
        "problems": problems,
    }


def _burst(placed: Any) -> dict[str, Any]:
    from geobservatory.events.geojson import to_geojson

    return {
        "id": str(placed.identity),
        "swath": placed.swath,
        "index": placed.burst.index,
        "burst_id": placed.identity.number,
        "azimuth_time": str(placed.burst.azimuth_time) + "Z",
        "anx_time_s": placed.burst.azimuth_anx_time_s,
        "footprint": to_geojson(placed.footprint),
    }


def _print_bursts(title: str, rows: list[dict[str, Any]]) -> None:
    columns = ("id", "swath", "index", "azimuth_time", "anx_time_s")
    print_table(
        title,
        (*columns, "footprint (longitude, latitude)"),
        [[*(row[column] for column in columns), _extent(row["footprint"])] for row in rows],
    )


def _extent(footprint: dict[str, Any]) -> str:
    """Write the box about a footprint; over the antimeridian west is greater than east."""
    from shapely.geometry import shape

    from geobservatory.globe import bounding_box

    area = shape(footprint)
    if area.is_empty:
        return "nothing valid"
    west, south, east, north = bounding_box(area)
    return f"{west:.2f} to {east:.2f}, {south:.2f} to {north:.2f}"


def _write_geojson(path: Path, placed: list[Any]) -> None:
    """Write footprints as a FeatureCollection, whole or not at all."""
    import json

    from geobservatory.errors import InputError
    from geobservatory.files import written_whole

    features = []
    for one in placed:
        properties = _burst(one)
        geometry = properties.pop("footprint")
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    try:
        with written_whole(path) as beside:
            beside.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def _print_check(product: Any, as_json: bool) -> None:
    from geobservatory.insar.check import check_geometry

    checks = [vars(check_geometry(product.annotation(*channel))) for channel in product.channels]
    if as_json:
        print_json({"geometry_check": checks})
        return
    print_table(
        "Worst difference between geo2rdr and the product's geolocation grid",
        ("swath", "polarisation", "azimuth (lines)", "range (m)"),
        [
            (
                one["swath"],
                one["polarisation"],
                f"{one['azimuth_lines']:.5f}",
                f"{one['range_m']:.6f}",
            )
            for one in checks
        ],
    )


def _plain(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
