"""`geobs hubs`: what each hub is, offers, and how it does."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from console.output import print_json, print_table

_DAY = timedelta(days=1)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(hubs)


def hubs(
    history: Annotated[
        bool, typer.Option("--history", help="How each did, day by day, and its incidents.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="The hubs beside each other, with scores.")
    ] = False,
    days: Annotated[float, typer.Option(min=1, max=366, help="How far back these look.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the hubs: kind, what they offer, how they did in the last day, expected speed now.

    `geobs probe` and the flow `probe-hubs` measure what --history and --compare tell.

    Example: geobs hubs --compare --days 7
    """
    if history or compare:
        from console.hub_reports import print_report

        print_report(days, history=history, as_json=as_json)
        return
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.hubs.mirror import with_mirror
    from geobservatory.hubs.outlook import beliefs as known_of
    from geobservatory.settings import load_settings

    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        health = catalog.health(datetime.now(UTC) - _DAY)
        beliefs = known_of(settings, catalog, datetime.now(UTC))
    rows: list[dict[str, Any]] = []
    for hub in with_mirror(settings):
        belief, known = beliefs[hub.name], health.get(hub.name)
        rows.append(
            {
                "hub": hub.name,
                "kind": hub.kind.value,
                "address": hub.address,
                "missions": hub.missions,
                "area": hub.area,
                "rolling_days": hub.rolling_days,
                "max_concurrent_downloads": hub.max_concurrent_downloads,
                "asked": known.asked if known else 0,
                "well": known.well if known else 0,
                "last_well": known.last_well if known else None,
                "last_failed": known.last_failed if known else None,
                "set_aside_until": belief.aside_until,
                "expected_bytes_per_s": belief.speed,
                "expected_first_byte_s": belief.first_byte_s,
                "transfers": belief.transfers,
            }
        )
    if as_json:
        print_json(rows)
        return
    columns = ("hub", "kind", "address", "offers", "last day", "expected", "at once")
    print_table("", columns, [_row(one) for one in rows])
    if not rows:
        print("no hub is configured: add [[hubs]] to geobs.toml (docs/hubs.md)")


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    offers = ", ".join(one["missions"])
    if one["area"] is not None:
        offers += ", an area"
    if one["rolling_days"] is not None:
        offers += f", {one['rolling_days']} days"
    return (
        one["hub"],
        one["kind"],
        one["address"],
        offers,
        _did(one),
        f"{one['expected_bytes_per_s'] / 1e6:.3g} MB/s"
        + (f" ({one['transfers']} transfers)" if one["transfers"] else " (a guess)"),
        one["max_concurrent_downloads"],
    )


def _did(one: dict[str, Any]) -> str:
    if one["set_aside_until"] is not None:
        return f"set aside until {one['set_aside_until']:%H:%M:%S} UTC"
    if not one["asked"]:
        return "not asked"
    return f"{one['well']} of {one['asked']} times well"
