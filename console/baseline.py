"""`geobs baseline`: how far apart two passes were."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(baseline)


def baseline(
    reference: Annotated[Path, typer.Argument(help="SAFE folder or zip of the reference.")],
    secondary: Annotated[Path, typer.Argument(help="SAFE folder or zip of the secondary.")],
    orbits: Annotated[
        Path | None, typer.Option("--orbits", help="Folder of orbit files; else the products' own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print perpendicular, parallel and temporal baseline, at mid-range of each swath.

    They are those of the first common burst; the spread is over all common bursts.

    Example: geobs baseline S1A_….SAFE.zip S1A_….SAFE.zip
    """
    from geobservatory.insar.baseline import baselines
    from geobservatory.sentinel1.orbit_files import choose_orbit
    from geobservatory.sentinel1.safe import open_product

    products = open_product(reference), open_product(secondary)
    one, other = (choose_orbit([product], orbits) for product in products)
    found = baselines(*products, (one.orbit, other.orbit))
    for product, chosen in zip(products, (one, other), strict=True):
        if orbits is not None and chosen.file is None:
            print(f"{product.name}: {chosen.reason}", file=sys.stderr)
    swaths = [
        _row([burst for burst in found if burst.burst.swath == swath])
        for swath in sorted({burst.burst.swath for burst in found})
    ]
    if as_json:
        print_json(swaths)
        return
    least = min(row["perpendicular_least_m"] for row in swaths)
    greatest = max(row["perpendicular_greatest_m"] for row in swaths)
    print_table(
        f"Perpendicular baseline {least:.1f} to {greatest:.1f} m over the scene "
        f"(orbits: {one.orbit.source}, {other.orbit.source})",
        ("swath", "burst", "perpendicular (m)", "parallel (m)", "days", "spread (m)"),
        [
            (
                row["swath"],
                row["burst"],
                f"{row['perpendicular_m']:.2f}",
                f"{row['parallel_m']:.2f}",
                f"{row['temporal_days']:.3f}",
                f"{row['perpendicular_least_m']:.2f} to {row['perpendicular_greatest_m']:.2f}",
            )
            for row in swaths
        ],
    )


def _row(bursts: list[Any]) -> dict[str, Any]:
    first = bursts[0]
    return {
        "swath": first.burst.swath,
        "perpendicular_m": first.perpendicular_m,
        "parallel_m": first.parallel_m,
        "temporal_days": first.temporal_days,
        "burst": str(first.burst),
        "bursts": len(bursts),
        "perpendicular_least_m": min(one.least_m for one in bursts),
        "perpendicular_greatest_m": max(one.greatest_m for one in bursts),
    }
