"""`geobs trigger` and `geobs events`: start an activation, and list what is known."""

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
        print_json({**summary(activation), "created": created, "started": how})
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
        found = [summary(one) for one in catalog.activations(state=wanted)]
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


def summary(activation: Any) -> dict[str, Any]:
    """Say what an activation is and where it stands, for programs."""
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
