"""`geobs sandbox`: a small world to practise in, with its own satellites and hubs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table

_Scenario = Annotated[str, typer.Argument(help="Name of a scenario, or a file that holds one.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class SizeOption(StrEnum):
    """How much is simulated; the library's own sizes, known without importing it."""

    SMALL = "small"
    SCENE = "scene"
    FRAME = "frame"


_Size = Annotated[
    SizeOption,
    typer.Option(help="small: 3 bursts, cropped; scene: a whole swath; frame: three swaths."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    sandbox = typer.Typer(
        help="A small world to practise in: no account, no network, no satellite needed.",
        no_args_is_help=True,
    )
    sandbox.command("list")(list_scenarios)
    sandbox.command()(simulate)
    sandbox.command()(serve)
    app.add_typer(sandbox, name="sandbox")


def list_scenarios(as_json: _Json = False) -> None:
    """Show the scenarios: what happens in each, and which passes see it.

    Example: geobs sandbox list
    """
    from geobservatory.sandbox.scenario import built_in, read_scenario

    scenarios = [read_scenario(path) for path in built_in().values()]
    if as_json:
        print_json([one.model_dump(mode="json") for one in scenarios])
        return
    print_table(
        "Scenarios; a file of your own serves as well",
        ("name", "what happens", "when", "passes"),
        [
            (
                one.name,
                one.title,
                f"{one.event.time:%Y-%m-%d %H:%M} UTC",
                ", ".join(f"{a.name} ({len(a.acquisitions)} dates)" for a in one.passes),
            )
            for one in scenarios
        ],
    )


def simulate(
    scenario: _Scenario,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    size: _Size = SizeOption.SMALL,
    track: Annotated[
        str | None, typer.Option("--pass", help="Only this pass of the scenario; all if not given.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Write the Sentinel-1 products of a scenario, with orbit files, DEM and the truth.

    Dates that are there already stay; an interrupted simulation goes on where it was.

    Example: geobs sandbox simulate al-haouz-2023 --size small --out sandbox
    """
    from geobservatory.sandbox.scenario import find_scenario

    found = find_scenario(scenario)
    written = _simulate(found, size, [track] if track else None, out)
    if as_json:
        print_json([vars(one) for one in written])
        return
    for one in written:
        print_table(
            str(out),
            ("product", "MB"),
            [(path.name, f"{path.stat().st_size / 1e6:.0f}") for path in one.products],
        )
        print(f"heights  {one.dem}\ntruth    {one.truth}")


def serve(
    scenario: Annotated[
        str, typer.Option(help="Scenario to play; simulated first where it was not.")
    ] = "al-haouz-2023",
    folder: Annotated[
        Path | None, typer.Option(help="Folder of products; one in the data folder if not given.")
    ] = None,
    size: _Size = SizeOption.SMALL,
    speed: Annotated[
        float, typer.Option(min=0, help="Sandbox seconds a real second; 0 stands still.")
    ] = 1.0,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="JSON list of faults the servers have.")
    ] = None,
) -> None:
    """Serve a scenario as hubs do, until Ctrl-C; the time starts a minute before the event.

    Prints the addresses, and writes geobs.toml beside the products: use it by GEOBS_CONFIG.

    Example: geobs sandbox serve --scenario al-haouz-2023 --speed 600
    """
    from geobservatory.sandbox.profile import write_profile
    from geobservatory.sandbox.scenario import find_scenario
    from geobservatory.sandbox.servers.faults import read_rules
    from geobservatory.sandbox.servers.world import serve as serve_world
    from geobservatory.sandbox.servers.world import usual_world
    from geobservatory.settings import load_settings

    found = find_scenario(scenario)
    rules = [] if faults is None else read_rules(faults)
    folder = folder or load_settings().data_dir / "sandbox" / f"{found.name}-{size}"
    folder = folder.resolve()
    prepare_world(found, size, folder)
    start = found.event.time - timedelta(minutes=1)
    world = usual_world(folder, start, speed).model_copy(update={"faults": rules})

    def ready(addresses: dict[str, str]) -> None:
        profile = write_profile(addresses, folder / "data", folder / "geobs.toml")
        title = f"{found.title}; Ctrl-C stops it"
        print_table(title, ("server", "address"), list(addresses.items()))
        print(f"it is {start:%Y-%m-%d %H:%M} UTC there; user and password are sandbox, sandbox")
        print(f"export GEOBS_CONFIG={profile}", flush=True)

    try:
        asyncio.run(serve_world(world, ready))
    except KeyboardInterrupt:
        print("stopped")


def prepare_world(scenario: Any, size: str, folder: Path) -> None:
    """Simulate all passes of a scenario and write its heights, as far as they are not there."""
    _simulate(scenario, size, None, folder)
    _write_tiles(scenario, size, folder / "dem")


def _simulate(scenario: Any, size: str, names: list[str] | None, folder: Path) -> list[Any]:
    """Simulate passes of a scenario with a progress bar; all of them where none is named."""
    from geobservatory.errors import InputError
    from geobservatory.sandbox.plan import Size, make_plan
    from geobservatory.sandbox.simulate import simulate as simulate_pass
    from geobservatory.sandbox.simulate import total_lines

    passes = [scenario.pass_named(name) for name in names] if names else list(scenario.passes)
    plans = [make_plan(scenario, one, Size(size)) for one in passes]
    try:
        with _progress(sum(total_lines(plan) for plan in plans)) as advance:
            return [simulate_pass(plan, folder, advance) for plan in plans]
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _write_tiles(scenario: Any, size: str, folder: Path) -> None:
    """Write the GLO-30 tiles under all passes of a scenario."""
    from geobservatory.errors import InputError
    from geobservatory.sandbox.plan import Size, make_plan
    from geobservatory.sandbox.tiles import write_tiles

    try:
        for one in scenario.passes:
            write_tiles(make_plan(scenario, one, Size(size)), folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show a bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("simulating"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("simulating", total=total)
        yield lambda lines: bar.advance(task, lines)
