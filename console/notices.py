"""`geobs notices`, `notify`, `subscribe` and `subscriptions`: who is told, and who was."""

from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table
from geobservatory.errors import InputError

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(notices)
    app.command()(notify)
    app.command()(subscribe)
    app.command()(subscriptions)


def notices(
    identifier: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only of this activation.")
    ] = None,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="Send now what waits, failed or may not have arrived."),
    ] = False,
    as_json: _Json = False,
) -> None:
    """Print who was told of what, what waits to be sent, and what failed.

    What is uncertain may have arrived: it is sent again with --retry only.

    Example: geobs notices earthquake-20230908 --retry
    """
    from datetime import UTC, datetime

    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.notify.deliver import deliver
    from geobservatory.settings import load_settings

    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        activation = None if identifier is None else catalog.activation(identifier).id
        if retry:
            catalog.retry_notices(datetime.now(UTC), activation)
            deliver(settings, catalog)
        found = catalog.notices(activation)
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_table(
        "Notices",
        ("queued", "state", "attempts", "recipient", "subject", "error"),
        [
            (
                f"{one.created_at:%F %T}",
                _state(one),
                one.attempts,
                one.recipient,
                one.content["subject"],
                one.error,
            )
            for one in found
        ],
    )


def notify(
    test: Annotated[
        str, typer.Option("--test", metavar="ADDRESS", help="E-mail address, or `webhook`.")
    ],
) -> None:
    """Send one test message by the configured way: the first thing to do once it is configured.

    Example: geobs notify --test duty@example.org
    """
    from geobservatory.catalog.notices import WEBHOOK
    from geobservatory.catalog.subscriptions import email_address
    from geobservatory.notify.deliver import send_test
    from geobservatory.settings import load_settings

    send_test(load_settings(), test if test == WEBHOOK else email_address(test))
    print(f"sent to {test}: the receiver's server has taken it")


def subscribe(
    address: Annotated[str, typer.Argument(help="E-mail address.")],
    aoi: Annotated[Path | None, typer.Option("--aoi", help="GeoJSON area.")] = None,
    lat: Annotated[float | None, typer.Option("--lat", min=-90, max=90)] = None,
    lon: Annotated[float | None, typer.Option("--lon", min=-180, max=180)] = None,
    radius_km: Annotated[float, typer.Option("--radius-km", min=1, max=5000)] = 200,
    magnitude: Annotated[
        float | None, typer.Option("--magnitude", help="From this magnitude on; all if not given.")
    ] = None,
) -> None:
    """Tell somebody by e-mail of every activation in an area.

    Example: geobs subscribe duty@example.org --lat 31 --lon -8 --radius-km 500 --magnitude 6
    """
    from shapely import box

    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.events.geojson import read_area
    from geobservatory.globe import circle
    from geobservatory.settings import load_settings

    if (lat is None) != (lon is None):
        raise InputError("--lat and --lon come together or not at all")
    if aoi is not None and lat is not None:
        raise InputError("give --aoi, or --lat and --lon, not both")
    if aoi is not None:
        area = read_area(aoi)
    elif lat is not None and lon is not None:
        area = circle(lon, lat, radius_km * 1000)
    else:
        area = box(-180, -90, 180, 90)
    with open_configured_catalog(load_settings()) as catalog:
        made = catalog.subscribe(address, area, magnitude)
    print(f"subscription {made.id}: {address}; `geobs subscriptions --remove {made.id}` ends it")


def subscriptions(
    remove: Annotated[int | None, typer.Option("--remove", help="End this one.")] = None,
    as_json: _Json = False,
) -> None:
    """Print who is told of what happens where.

    Example: geobs subscriptions
    """
    from shapely.geometry import mapping

    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.globe import bounding_box
    from geobservatory.settings import load_settings

    with open_configured_catalog(load_settings()) as catalog:
        if remove is not None:
            catalog.unsubscribe(remove)
        found = catalog.subscriptions()
    if as_json:
        told: list[dict[str, Any]] = [{**vars(one), "area": mapping(one.area)} for one in found]
        print_json(told)
        return
    print_table(
        "Subscriptions",
        ("number", "address", "from magnitude", "west, south, east, north"),
        [
            (
                one.id,
                one.address,
                one.magnitude,
                ", ".join(f"{edge:.2f}" for edge in bounding_box(one.area)),
            )
            for one in found
        ],
    )


def _state(notice: Any) -> str:
    """Say where a notice stands, and until when nothing happens to it."""
    if notice.state == "waiting" and notice.attempts > 0:
        return f"waiting until {notice.due_at:%F %T}"
    return str(notice.state)
