"""`geobs interferogram`: from two products to a map of how the ground moved."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(interferogram)


def interferogram(
    reference: Annotated[Path, typer.Argument(help="SAFE folder or zip of the earlier image.")],
    secondary: Annotated[Path, typer.Argument(help="SAFE folder or zip of the later image.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    slices: Annotated[
        list[Path] | None,
        typer.Option("--slice", help="A further slice of either pass; as often as needed."),
    ] = None,
    dem: Annotated[
        str | None,
        typer.Option("--dem", help="glo30, a GeoTIFF, or a folder of them; else as the settings."),
    ] = None,
    orbits: Annotated[
        Path | None,
        typer.Option("--orbits", help="Folder of orbit files; else the products' own vectors."),
    ] = None,
    aoi: Annotated[
        Path | None, typer.Option("--aoi", help="GeoJSON area of interest; else all in common.")
    ] = None,
    swaths: Annotated[str | None, typer.Option("--swaths", help="Such as IW1,IW2.")] = None,
    polarisation: Annotated[
        str | None, typer.Option("--polarisation", help="VV, VH, HH or HV; else VV, then HH.")
    ] = None,
    looks: Annotated[
        str | None, typer.Option("--looks", help="Azimuth x range, such as 4x16; else by spacing.")
    ] = None,
    spacing: Annotated[
        float | None, typer.Option("--spacing", min=5, max=1000, help="Metres of a map cell.")
    ] = None,
    no_filter: Annotated[bool, typer.Option("--no-filter", help="Leave the phase as it is.")] = (
        False
    ),
    no_unwrap: Annotated[bool, typer.Option("--no-unwrap", help="Stop at wrapped phase.")] = False,
    no_esd: Annotated[
        bool, typer.Option("--no-esd", help="Do without enhanced spectral diversity.")
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="native, snap, gamma or command; else as the settings."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metadata as JSON.")] = False,
) -> None:
    """Make an interferogram of two Sentinel-1 IW SLC products and a map of the motion between them.

    A run that was stopped goes on where it was when the same command is given again.

    Example: geobs interferogram S1A_….SAFE.zip S1A_….SAFE.zip --dem glo30 --out map
    """
    from geobservatory.engines.registry import make_engine, require
    from geobservatory.engines.request import Heights, Request
    from geobservatory.events.geojson import read_area
    from geobservatory.settings import load_settings

    settings = load_settings()
    maker = make_engine(engine or settings.engine.name, settings)
    require(maker)
    heights = Heights(
        source=dem or settings.dem.source,
        datum=settings.dem.datum,
        tiles_address=settings.dem.address,
        grids_address=settings.dem.grids_address,
    )
    request = Request(
        *_passes(reference, secondary, slices or []),
        out=out,
        cache=settings.data_dir / "cache",
        heights=heights,
        orbits=orbits,
        area=None if aoi is None else read_area(aoi),
        swaths=None if swaths is None else tuple(swaths.upper().split(",")),
        polarisation=None if polarisation is None else polarisation.upper(),
        spacing_m=spacing or settings.engine.spacing_m,
        looks=None if looks is None else _looks(looks),
        filtered=not no_filter,
        unwrapped=not no_unwrap,
        spectral_diversity=not no_esd,
        unwrapper=settings.engine.unwrapper,
        threads=settings.engine.threads,
    )
    with shown_progress() as progress:
        result = maker.make(request, progress)
    if as_json:
        print_json(result.item)
        return
    print_table(
        f"{result.verdict}{'' if not result.reasons else ':'} {'; '.join(result.reasons)}",
        ("file", "MB", ""),
        [_row(result.folder, name, asset) for name, asset in result.item["assets"].items()],
    )
    print(result.folder / "quicklook.png")


def _passes(
    reference: Path, secondary: Path, slices: list[Path]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Give every further slice to the pass that it is of."""
    from geobservatory.sentinel1.names import parse_name

    passes: tuple[list[Path], list[Path]] = ([reference], [secondary])
    names = parse_name(reference.name), parse_name(secondary.name)
    for path in slices:
        places = [
            found
            for found, name in zip(passes, names, strict=True)
            if parse_name(path.name).is_of_pass(name)
        ]
        if not places:
            raise typer.BadParameter(f"{path} is of neither pass")
        places[0].append(path)
    return tuple(passes[0]), tuple(passes[1])


def _row(folder: Path, name: str, asset: dict[str, Any]) -> tuple[str, str, str]:
    path = folder / asset["href"]
    return path.name, f"{path.stat().st_size / 1e6:.1f}", asset.get("title", name)


def _looks(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(one.isdecimal() and 1 <= int(one) <= 200 for one in parts):
        raise typer.BadParameter(
            f"{text!r} is not of the form 4x16 (azimuth x range, 1 to 200 each)"
        )
    return int(parts[0]), int(parts[1])


@contextmanager
def shown_progress() -> Iterator[Callable[[str, float], None]]:
    """Show progress on a terminal, and a line for each step elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        last = ""

        def told(doing: str, share: float) -> None:
            nonlocal last
            if doing != last:
                print(f"{share:4.0%} {doing}", file=sys.stderr, flush=True)
                last = doing

        yield told
        return
    columns = TextColumn("{task.description:24}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("opening", total=1.0)
        yield lambda doing, share: bar.update(task, description=doing, completed=share)
