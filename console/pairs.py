"""`geobs pairs` and `geobs passes`: which images show an event, and when the next are taken."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table
from console.times import Time, utc

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
# A point is looked at as an area of this radius; the past of so many days tells of the future.
_ABOUT_M, _HISTORY = 5_000.0, timedelta(days=48)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(pairs)
    app.command()(passes)


def pairs(
    event: Annotated[Path, typer.Argument(help="Request file: GeoJSON with the event and area.")],
    scenes: Annotated[
        Path | None,
        typer.Option("--scenes", help="GeoJSON of scenes to choose among; else hubs are asked."),
    ] = None,
    pre_event: Annotated[
        bool, typer.Option("--pre-event", help="Also pairs from before, where nothing moved.")
    ] = False,
    post_event: Annotated[bool, typer.Option("--post-event", help="Also pairs from after.")] = (
        False
    ),
    chain: Annotated[bool, typer.Option("--chain", help="Also each image with the next.")] = False,
    alternatives: Annotated[
        int, typer.Option("--alternatives", min=0, max=20, help="Next-best pairs of each event.")
    ] = 0,
    as_json: _Json = False,
) -> None:
    """Choose the pairs of images that show what an event did, with the reasons.

    Example: geobs pairs event.geojson --scenes scenes.geojson --json
    """
    from shapely.geometry import shape

    from geobservatory.events.request import read_request
    from geobservatory.pairs.scenes_file import read_scenes
    from geobservatory.pairs.select import Wish, choose_pairs
    from geobservatory.settings import load_settings

    request = read_request(event).to_request()
    settings, now = load_settings(), datetime.now(UTC)
    usual, area = settings.activation, shape(request.area)
    start = request.event.time - timedelta(days=request.days_before or usual.days_before)
    until = request.event.time + timedelta(days=request.days_after or usual.days_after)
    if scenes is not None:
        found = read_scenes(scenes)
    else:
        found = _ask(settings, area, start, min(until, now))
    wish = Wish(
        area=area,
        events={request.event.slug: request.event.time},
        until=until,
        now=now,
        tracks=request.tracks,
        pre_event=pre_event,
        post_event=post_event,
        chain=chain,
        alternatives=alternatives,
    )
    tracks = choose_pairs(found, wish)
    if as_json:
        print_json([_told(pair) for track in tracks for pair in track.pairs])
        return
    for track in tracks:
        title = f"track {track.relative_orbit}, {track.direction}, {track.coverage:.0%} of the area"
        said = track.waits_for or track.lacks
        print_table(
            f"{title}; {said}" if said else title,
            ("kind", "reference", "secondary", "why"),
            [
                (one.kind, _short(one.reference), _short(one.secondary), one.reason)
                for one in track.pairs
            ],
        )
    if not tracks:
        print("no image of the area in that time")


def passes(
    lat: Annotated[float, typer.Option("--lat", min=-90, max=90, help="Degrees north.")],
    lon: Annotated[float, typer.Option("--lon", min=-180, max=180, help="Degrees east.")],
    after: Time = None,
    days: Annotated[int, typer.Option("--days", min=1, max=60, help="How far ahead.")] = 24,
    as_json: _Json = False,
) -> None:
    """Tell when Sentinel-1 comes over a place after a time, by what the hubs' archives have of it.

    Example: geobs passes --lat 31.06 --lon -8.39 --after 2023-09-09
    """
    from geobservatory.globe import circle
    from geobservatory.pairs.predict import predict_passes
    from geobservatory.settings import load_settings

    since = utc(after) or datetime.now(UTC)
    area = circle(lon, lat, _ABOUT_M)
    history = _ask(load_settings(), area, since - _HISTORY, since)
    found = predict_passes(history, area, since, since + timedelta(days=days))
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_table(
        f"Sentinel-1 over {lat:g}, {lon:g} (latitude, longitude)",
        ("time, UTC", "track", "direction", "satellite", "covers", "taken of late"),
        [
            (
                f"{one.time:%Y-%m-%d %H:%M:%S}",
                one.relative_orbit,
                one.direction,
                one.mission,
                f"{one.coverage:.0%}",
                f"{one.taken} of {one.cycles} cycles",
            )
            for one in found
        ],
    )


def _ask(settings: Any, area: Any, start: datetime, stop: datetime) -> list[Any]:
    """Ask the hubs; the catalogue keeps what they answer, and adds what it knew."""
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.hubs.access import Hubs
    from geobservatory.hubs.model import Query

    with open_configured_catalog(settings) as catalog:
        Hubs(settings, catalog).search(Query(area=area, start=start, stop=stop))
        return catalog.products(area, start, stop)


def _told(pair: Any) -> dict[str, Any]:
    names = "kind", "relative_orbit", "direction", "reference", "secondary", "reason"
    return {name: getattr(pair, name) for name in names}


def _short(names: Sequence[str]) -> str:
    """Say a pass in few letters: satellite, time, and how many slices."""
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return f"{names[0][:3]} {names[0][17:32]}{more}"
