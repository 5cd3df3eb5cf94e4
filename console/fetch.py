"""`geobs fetch`: bring products from whichever hub delivers them soonest."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(fetch)


def fetch(
    names: Annotated[list[str], typer.Argument(help="Product names.")],
    aoi: Annotated[
        Path | None, typer.Option("--aoi", help="Only the bursts that meet a GeoJSON area.")
    ] = None,
    hub: Annotated[str | None, typer.Option("--from", help="From this hub alone.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to put them in; else the archive.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say which hub would be chosen and why; fetch nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fetch products, each from the hub that will deliver it soonest.

    What was begun is gone on with when the same command is given again. What no hub has online is
    ordered from a long-term archive and waited for.

    Example: geobs fetch S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.errors import GeobservatoryError
    from geobservatory.events.geojson import read_area
    from geobservatory.hubs.access import Hubs
    from geobservatory.mirror.archive import Archive
    from geobservatory.mirror.asked import fetch_asked
    from geobservatory.sentinel1.names import parse_name
    from geobservatory.settings import load_settings

    wanted = list(dict.fromkeys(str(parse_name(name)) for name in names))
    area = None if aoi is None else read_area(aoi)
    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        hubs = Hubs(settings, catalog)
        if explain:
            _explain(hubs, wanted, hub, as_json)
            return
        failed: dict[str, str] = {}
        fetched: dict[str, Any] = {}
        workers = min(len(wanted), sum(one.max_concurrent_downloads for one in settings.hubs) or 1)
        with _shown() as (told, said), ThreadPoolExecutor(workers) as pool:

            def one(name: str) -> None:
                try:
                    how: dict[str, Any] = {
                        "area": area,
                        "only": hub,
                        "told": lambda progress: told(name, progress),
                        "said": lambda line: said(f"{name[17:32]} {line}"),
                    }
                    fetched[name] = (
                        fetch_asked(hubs, Archive(settings, catalog), name, **how)
                        if out is None
                        else hubs.fetch(name, folder=out, **how)
                    )
                except GeobservatoryError as error:
                    failed[name] = str(error)

            list(pool.map(one, wanted))
    if as_json:
        print_json([_told(name, fetched.get(name), failed.get(name)) for name in wanted])
    else:
        for name in wanted:
            if name in fetched:
                print(fetched[name].path)
    for reason in failed.values():
        print(f"geobs: {reason}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _told(name: str, fetched: Any, failure: str | None) -> dict[str, Any]:
    path, hub = (None, None) if fetched is None else (fetched.path, fetched.hub)
    return {"name": name, "path": path, "hub": hub, "failure": failure}


def _explain(hubs: Any, names: list[str], only: str | None, as_json: bool) -> None:
    told: list[dict[str, Any]] = []
    for name in names:
        estimates = hubs.estimate(hubs.find(name, only=only))
        told.append(
            {
                "name": name,
                "hubs": [
                    {"hub": one.offer.hub, "expected_s": one.seconds, "why": one.why}
                    for one in sorted(estimates, key=lambda one: one.seconds)
                ],
            }
        )
    if as_json:
        print_json(told)
        return
    for one in told:
        print(one["name"])
        for hub in one["hubs"]:
            print(f"  {hub['why']}")


@contextmanager
def _shown() -> Iterator[tuple[Callable[[str, Any], None], Callable[[str], None]]]:
    """Show a bar for each product on a terminal, and lines elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        shares: dict[str, int] = {}

        def in_lines(name: str, progress: Any) -> None:
            tenth = 10 * progress.have // progress.total if progress.total else 0
            if shares.get(name) != tenth:
                shares[name] = tenth
                print(f"{name}: {10 * tenth}% from {progress.hub}", file=sys.stderr, flush=True)

        yield in_lines, lambda line: print(line, file=sys.stderr, flush=True)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def in_bars(name: str, progress: Any) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            # Its day, and who sends it: names are too long for a line with a bar.
            about = f"{name[:3]} {name[17:32]} {progress.hub}"
            bars.update(
                tasks[name], description=about, completed=progress.have, total=progress.total
            )

        yield in_bars, lambda line: console.print(line, markup=False, highlight=False)
