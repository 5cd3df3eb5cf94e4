"""`geobs trigger`, `geobs events` and `geobs show`: start an activation, and see what is known."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table
from geobservatory.errors import GeobservatoryError

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(trigger)
    app.command()(events)
    app.command()(show)


def trigger(
    request: Annotated[Path, typer.Argument(help="Request file: GeoJSON with the event and area.")],
    as_json: _Json = False,
) -> None:
    """Record an event and start the flow that responds to it; again is the same activation.

    Example: geobs trigger event.geojson
    """
    from console.respond import start_response
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.events.request import read_request
    from geobservatory.settings import load_settings

    form = read_request(request)
    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        activation, created = catalog.request_activation(form.to_request())
        how = start_response(settings, activation, form)
        activation = catalog.activation(activation.id)
    if as_json:
        print_json({**_summary(activation), "created": created, "started": how})
        return
    print(f"{activation.id}: {'recorded' if created else 'known already'}; {how}")
    print(f"`geobs show {activation.id}` follows it")


def events(
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    heard: Annotated[
        bool, typer.Option("--heard", help="All earthquakes heard of, with what was decided.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="With --heard: how many.")] = 50,
    as_json: _Json = False,
) -> None:
    """Print the events and activations the catalogue knows, the newest first.

    Example: geobs events --state waiting
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.events.model import ActivationState
    from geobservatory.settings import load_settings

    if heard:
        if state is not None:
            raise GeobservatoryError("--heard lists earthquakes, which have no --state")
        _print_heard(limit, as_json)
        return
    if state is not None and state not in list(ActivationState):
        raise GeobservatoryError(f"no state {state}; the states are {', '.join(ActivationState)}")
    wanted = None if state is None else ActivationState(state)
    with open_configured_catalog(load_settings()) as catalog:
        found = [_summary(one) for one in catalog.activations(state=wanted)]
    if as_json:
        print_json(found)
        return
    columns = ("id", "state", "event_time", "event_type", "magnitude", "name", "reason")
    print_table("", columns, [[one[column] for column in columns] for one in found])


def _print_heard(limit: int, as_json: bool) -> None:
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.settings import load_settings

    with open_configured_catalog(load_settings()) as catalog:
        found = catalog.heard(limit=limit)
    if as_json:
        print_json([{**vars(one), "event": one.event.model_dump(mode="json")} for one in found])
        return
    print_table(
        f"{len(found)} earthquakes",
        ("time (UTC)", "M", "km", "place", "said by", "activates", "why", "done"),
        [
            (
                f"{one.event.time:%F %T}",
                one.event.magnitude,
                one.event.depth_km,
                one.event.name or f"{one.event.latitude:.2f}, {one.event.longitude:.2f}",
                f"{', '.join(one.sources)} ({one.revisions})",
                "yes" if one.activate else "no",
                one.reason,
                one.action if one.activation_id is None else f"{one.action} {one.activation_id}",
            )
            for one in found
        ],
    )


def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its start is enough.")],
    as_json: _Json = False,
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
                **_summary(activation),
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
    event = activation.request.event
    west, south, east, north = _box(activation)
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
    if len(events) > 1:
        print_table(
            "Events of the sequence",
            ("time (UTC)", "magnitude", "depth_km", "latitude", "longitude", "name"),
            [
                (
                    f"{one.time:%F %T}",
                    one.magnitude,
                    one.depth_km,
                    one.latitude,
                    one.longitude,
                    one.name,
                )
                for one in events
            ],
        )
    print_table(
        "States",
        ("at", "state", "reason", "flow run"),
        [(f"{one.at:%F %T}", one.state, one.reason, one.flow_run_id) for one in history],
    )
    print_table(
        "Reports",
        ("source", "identifier", "time", "magnitude", "depth_km", "latitude", "longitude"),
        [
            (
                one.source,
                one.source_id,
                f"{one.time:%F %T}",
                one.magnitude,
                one.depth_km,
                one.latitude,
                one.longitude,
            )
            for one in revisions
        ],
    )


def _made(found: Any) -> str:
    """Say how far the map of a pair is."""
    if found is None:
        return "to be made"
    version = f", version {found.version}" if found.version > 1 else ""
    return f"{found.state}{version}{': ' + found.reason if found.reason else ''}"


def _summary(activation: Any) -> dict[str, Any]:
    event = activation.request.event
    return {
        "id": activation.id,
        "state": activation.state,
        "reason": activation.state_reason,
        "event_time": event.time.isoformat().replace("+00:00", "Z"),
        "event_type": event.event_type,
        "name": event.name,
        "magnitude": event.magnitude,
        "depth_km": event.depth_km,
        "latitude": event.latitude,
        "longitude": event.longitude,
        "priority": activation.request.priority,
        "flow_run_id": activation.flow_run_id,
        "created_at": activation.created_at,
        "updated_at": activation.updated_at,
    }


def _box(activation: Any) -> tuple[float, float, float, float]:
    from shapely.geometry import shape

    from geobservatory.globe import bounding_box

    return bounding_box(shape(activation.request.area))
