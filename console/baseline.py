"""`geobs baseline`: how far apart two passes were."""

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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print perpendicular, parallel and temporal baseline, at mid-range of each swath.

    They are those of the first common burst; the spread is over all common bursts.

    Example: geobs baseline S1A_….SAFE.zip S1A_….SAFE.zip
    """
    from geobservatory.insar.baseline import baselines
    from geobservatory.sentinel1.safe import open_product

    products = open_product(reference), open_product(secondary)
    found = baselines(*products)
    swaths = [
        _row([one for one in found if one.burst.swath == swath])
        for swath in sorted({one.burst.swath for one in found})
    ]
    if as_json:
        print_json(swaths)
        return
    least = min(one["perpendicular_least_m"] for one in swaths)
    greatest = max(one["perpendicular_greatest_m"] for one in swaths)
    print_table(
        f"Perpendicular baseline {least:.1f} to {greatest:.1f} m over the scene",
        ("swath", "burst", "perpendicular (m)", "parallel (m)", "days", "spread (m)"),
        [
            (
                one["swath"],
                one["burst"],
                f"{one['perpendicular_m']:.2f}",
                f"{one['parallel_m']:.2f}",
                f"{one['temporal_days']:.3f}",
                f"{one['perpendicular_least_m']:.2f} to {one['perpendicular_greatest_m']:.2f}",
            )
            for one in swaths
        ],
    )


def _row(bursts: list[Any]) -> dict[str, Any]:
    first = bursts[0]
    return {
        "swath": first.burst.swath,
        "perpendicular_m": first.perpendicular_m,
        "parallel_m": first.parallel_m,
        "temporal_days": first.temporal_days,
        "burst": str(first.burst.identity),
        "bursts": len(bursts),
        "perpendicular_least_m": min(one.least_m for one in bursts),
        "perpendicular_greatest_m": max(one.greatest_m for one in bursts),
    }
