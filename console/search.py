"""`geobs search`: which images there are, and which hubs have them."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from console.output import print_json, print_table
from console.times import Time, utc


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(search)


def search(
    aoi: Annotated[Path | None, typer.Option("--aoi", help="GeoJSON area to be met.")] = None,
    start: Time = None,
    end: Time = None,
    published_since: Time = None,
    hub: Annotated[str | None, typer.Option("--hub", help="Ask this hub alone.")] = None,
    mission: Annotated[
        list[str] | None, typer.Option("--mission", help="S1A to S1D; may be given again.")
    ] = None,
    product_type: Annotated[str, typer.Option("--type", help="SLC, GRD, RAW, OCN.")] = "SLC",
    mode: Annotated[str, typer.Option("--mode", help="IW, EW, WV, S1 to S6.")] = "IW",
    polarisation: Annotated[str | None, typer.Option("--polarisation")] = None,
    orbit: Annotated[
        int | None, typer.Option("--orbit", min=1, max=175, help="Relative orbit (track).")
    ] = None,
    direction: Annotated[
        Literal["ascending", "descending"] | None, typer.Option("--direction")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="A name, or a pattern of one.")] = None,
    deadline: Annotated[
        float, typer.Option("--deadline", min=1, help="Seconds a hub is waited for.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    geojson: Annotated[bool, typer.Option("--geojson", help="Print GeoJSON, for QGIS.")] = False,
) -> None:
    """Ask all hubs at once for images; times are UTC, of sensing.

    Ends with status 3 when no hub answered to the end.

    Example: geobs search --aoi area.geojson --start 2023-09-01 --end 2023-09-20
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.events.geojson import read_area
    from geobservatory.hubs.access import Hubs
    from geobservatory.hubs.model import Query
    from geobservatory.settings import load_settings

    query = Query(
        missions=tuple(one.upper() for one in mission or ()),
        product_type=product_type.upper(),
        mode=mode.upper(),
        polarisation=None if polarisation is None else polarisation.upper(),
        area=None if aoi is None else read_area(aoi),
        start=utc(start),
        stop=utc(end),
        relative_orbit=orbit,
        direction=direction,
        name=None if name is None else name.removesuffix(".zip").removesuffix(".SAFE"),
        published_since=utc(published_since),
    )
    settings = load_settings()
    with open_configured_catalog(settings) as catalog:
        found = Hubs(settings, catalog).search(
            query, only=hub, deadline_s=deadline, answered=_say_answer
        )
    if as_json:
        print_json({"scenes": [_plain(one) for one in found.scenes], "hubs": _answers(found)})
    elif geojson:
        print_json(_collection(found.scenes))
    else:
        _print(found)
    if found.answers and all(one.failure is not None for one in found.answers):
        raise typer.Exit(3)


def _say_answer(answer: Any) -> None:
    took = f"{answer.hub}: {answer.found} products in {answer.seconds:.1f} s"
    reason = "" if answer.failure is None else f", not to the end: {answer.failure}"
    print(f"{took}{reason}", file=sys.stderr, flush=True)


def _print(found: Any) -> None:
    rows = [
        (
            scene.product.name,
            f"{scene.product.start:%Y-%m-%d %H:%M:%S}",
            scene.product.relative_orbit,
            scene.product.direction,
            ", ".join(_at(offer) for offer in scene.offers),
        )
        for scene in found.scenes
    ]
    columns = ("product", "sensed (UTC)", "track", "direction", "hubs")
    print_table(f"{len(rows)} images", columns, rows)


def _at(offer: Any) -> str:
    return f"{offer.hub} (long-term archive)" if offer.online is False else str(offer.hub)


def _plain(scene: Any) -> dict[str, Any]:
    from shapely.geometry import mapping

    product = scene.product
    return {
        "name": product.name,
        "mission": product.mission,
        "mode": product.mode,
        "product_type": product.product_type,
        "polarisations": product.polarisations,
        "start": product.start,
        "stop": product.stop,
        "relative_orbit": product.relative_orbit,
        "direction": product.direction,
        "supersedes": scene.supersedes,
        "offers": [
            {
                "hub": offer.hub,
                "id": offer.id,
                "published": offer.published,
                "online": offer.online,
                "size": offer.size,
                "checksums": offer.checksums,
            }
            for offer in scene.offers
        ],
        "footprint": mapping(product.footprint),
    }


def _collection(scenes: Any) -> dict[str, Any]:
    features = []
    for scene in scenes:
        properties = _plain(scene)
        geometry = properties.pop("footprint")
        features.append(
            {
                "type": "Feature",
                "id": properties["name"],
                "geometry": geometry,
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _answers(found: Any) -> list[dict[str, Any]]:
    return [
        {
            "hub": one.hub,
            "found": one.found,
            "seconds": one.seconds,
            "failure": None if one.failure is None else str(one.failure),
        }
        for one in found.answers
    ]
