"""`geobs show`: all that is known of one activation."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.activations import summary
from console.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(show)


def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its start is enough.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print all the catalogue knows of one activation: event, pairs, maps, states, reports.

    Example: geobs show earthquake-20230908
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.engines.publish import products_folder
    from geobservatory.settings import load_settings

    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        activation = catalog.activation(identifier)
        history = catalog.history(activation.id)
        revisions = catalog.revisions(activation.id)
        events = catalog.events_of(activation.id)
        pairs = catalog.pairs(activation.id)
        made = catalog.interferograms(activation.id)
    page = products_folder(settings.data_dir) / activation.id / "index.html"
    if as_json:
        print_json(
            {
                **summary(activation),
                "request": activation.request,
                "events": events,
                "revisions": revisions,
                "history": [vars(change) for change in history],
                "pairs": [vars(one) for one in pairs],
                "interferograms": [
                    {**vars(one), "files": {role: vars(file) for role, file in one.files.items()}}
                    for one in made
                ],
                "page": page if page.exists() else None,
            }
        )
        return
    _print_facts(activation, page)
    _print_pairs(pairs, made)
    if len(events) > 1:
        _print_events("Events of the sequence", events)
    print_table(
        "States",
        ("at", "state", "reason", "flow run"),
        [(f"{one.at:%F %T}", one.state, one.reason, one.flow_run_id) for one in history],
    )
    _print_events("Reports", revisions)


def _print_facts(activation: Any, page: Path) -> None:
    from shapely.geometry import shape

    from geobservatory.globe import bounding_box

    event = activation.request.event
    west, south, east, north = bounding_box(shape(activation.request.area))
    print_table(
        activation.id,
        ("", ""),
        [
            ("state", f"{activation.state}: {activation.state_reason}"),
            ("event", f"{event.event_type} {event.time:%Y-%m-%d %H:%M:%S} UTC {event.name}"),
            ("place", f"{event.latitude:.3f}, {event.longitude:.3f} (latitude, longitude)"),
            ("magnitude", event.magnitude),
            ("depth", None if event.depth_km is None else f"{event.depth_km:g} km"),
            ("area", f"{south:.2f} to {north:.2f} N, {west:.2f} to {east:.2f} E"),
            ("tracks", ", ".join(map(str, activation.request.tracks)) or "all"),
            ("flow run", activation.flow_run_id),
            ("page", page if page.exists() else None),
        ],
    )


def _print_pairs(pairs: list[Any], made: list[Any]) -> None:
    newest = {one.pair_id: one for one in made}
    print_table(
        "Pairs",
        ("pair", "score", "map", "verdict", "why"),
        [
            (
                one.id,
                f"{one.score:.2f}",
                "alternative" if one.rank else _made(newest.get(one.id)),
                newest[one.id].verdict if one.id in newest else None,
                one.reason,
            )
            for one in pairs
        ],
    )


def _print_events(title: str, events: list[Any]) -> None:
    columns = (
        "source",
        "source_id",
        "time",
        "magnitude",
        "depth_km",
        "latitude",
        "longitude",
        "name",
    )
    print_table(
        title,
        columns,
        [
            [f"{one.time:%F %T}" if name == "time" else getattr(one, name) for name in columns]
            for one in events
        ],
    )


def _made(found: Any) -> str:
    """Say how far the map of a pair is."""
    if found is None:
        return "to be made"
    version = f", version {found.version}" if found.version > 1 else ""
    return f"{found.state}{version}{': ' + found.reason if found.reason else ''}"
