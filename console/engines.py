"""`geobs engines`: which programs can make interferograms here, and whether they make good ones."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SCENARIO, _PASS = "al-haouz-2023", "descending-52"
_REPORT = "report.txt"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    engines = typer.Typer(
        help="Which programs can make interferograms here, and whether they make good ones.",
        invoke_without_command=True,
    )
    engines.callback()(show)
    engines.command()(check)
    app.add_typer(engines, name="engines")


def show(context: typer.Context, as_json: _Json = False) -> None:
    """Show which engines are installed, their versions, and how to get what is missing.

    Example: geobs engines
    """
    if context.invoked_subcommand is not None:
        return
    from geobservatory.engines.registry import make_engine, names
    from geobservatory.settings import load_settings

    settings = load_settings()
    found = {name: make_engine(name, settings).availability() for name in names()}
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "ready": one.ready,
                    "configured": name == settings.engine.name,
                    "version": one.version,
                    "missing": [vars(lack) for lack in one.missing],
                    "notes": one.notes,
                }
                for name, one in found.items()
            ]
        )
        return
    print_table(
        "The engine in use is marked; `engine.name` sets it, an activation may ask for another",
        ("", "engine", "ready", "version", "missing: the way to get it"),
        [
            (
                "*" if name == settings.engine.name else "",
                name,
                "yes" if one.ready else "no",
                one.version,
                "\n".join((*(f"{lack.what}: {lack.remedy}" for lack in one.missing), *one.notes)),
            )
            for name, one in found.items()
        ],
    )


def check(
    engines: Annotated[
        list[str] | None,
        typer.Argument(help="Engines to try; all that are ready if none is named."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder for the pair and the maps, some 2 GB; they stay."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Run a small simulated pair through each engine; compare with the truth and the native one.

    Takes half a minute for the pair and a few minutes an engine. What it prints, also left as
    report.txt, can be sent to the makers of geObservatory as it is; of an engine that failed it
    holds the last lines of the log. The exit status is 1 if an engine failed or disagrees.

    Example: geobs engines check snap
    """
    from console.engine_report import report
    from console.interferogram import shown_progress
    from geobservatory.engines.registry import make_engine, names, require
    from geobservatory.errors import GeobservatoryError
    from geobservatory.files import written_whole
    from geobservatory.sandbox.scenario import find_scenario
    from geobservatory.settings import load_settings
    from geobservatory.trial import event_dates, request_of, simulate_pair, try_engines

    settings = load_settings()
    made = [make_engine(name, settings) for name in engines or names()]
    for one in made:
        if engines:
            require(one)
    tried = [one for one in made if one.availability().ready]
    folder = (folder or settings.data_dir / "engines-check").resolve()
    with shown_progress() as progress:
        pair = simulate_pair(find_scenario(_SCENARIO), _PASS, folder, progress)
        request = request_of(pair, event_dates(pair), folder, folder / "maps")
        trials = try_engines(tried, request, folder, progress)
    told = report(trials, f"simulated pair {_SCENARIO}, {_PASS}, three bursts of IW2", folder)
    with written_whole(folder / _REPORT) as beside:
        beside.write_text(told + "\n", encoding="utf-8")
    if as_json:
        print_json([_plain(one) for one in trials])
    else:
        print(told)
        print(f"\nthis report: {folder / _REPORT}; maps, logs and graphs: {folder / 'maps'}")
    if not all(one.good for one in trials):
        raise GeobservatoryError("an engine failed or disagrees with the native one; see above")


def _plain(trial: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(trial), "good": trial.good}
