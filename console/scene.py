"""`geobs scene`: what a Sentinel-1 product is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(scene)


def scene(
    product: Annotated[Path, typer.Argument(help="SAFE folder or zip.")],
    check_geometry: Annotated[
        bool,
        typer.Option("--check-geometry", help="Compare our geometry with the product's own grid."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a product is: mission, orbit, times, swaths, bursts; what is missing from it.

    Example: geobs scene S1A_IW_SLC__….SAFE.zip --check-geometry
    """
    from geobservatory.sentinel1.safe import open_product

    opened = open_product(product)
    if check_geometry:
        _print_check(opened, as_json)
        return
    described = _describe(opened)
    if as_json:
        print_json(described)
        return
    bursts, problems = described.pop("bursts"), described.pop("problems")
    print_table(described.pop("name"), ("", ""), [(k, _plain(v)) for k, v in described.items()])
    columns = ("swath", "polarisation", "index", "burst_id", "azimuth_time", "anx_time_s")
    print_table("Bursts", columns, [[burst[column] for column in columns] for burst in bursts])
    for problem in problems:
        print(problem)


def _describe(product: Any) -> dict[str, Any]:
    annotations = [product.annotation(*channel) for channel in product.channels]
    first = annotations[0]
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
        "bursts": [
            {
                "swath": one.swath,
                "polarisation": one.polarisation,
                "index": burst.index,
                "burst_id": burst.esa_id,
                "azimuth_time": str(burst.azimuth_time) + "Z",
                "anx_time_s": burst.azimuth_anx_time_s,
            }
            for one in annotations
            for burst in one.bursts
        ],
        "problems": list(product.problems),
    }


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
