"""All that the page of an activation tells, from the catalogue and the folder of products."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.interferograms import File, Interferogram
from geobservatory.catalog.pairs import Pair
from geobservatory.engines.order import title
from geobservatory.engines.publish import products_folder
from geobservatory.errors import InputError
from geobservatory.events.model import Activation, ActivationState, GeohazardEvent
from geobservatory.globe import area_km2
from geobservatory.products.activation import KMZ, METADATA
from geobservatory.products.tiles import LAYERS, Shown, Sight, colours, describe, sight_of
from portal.people.search import countries_of
from portal.results import kmz_of, whole_file


@dataclass(frozen=True)
class Step:
    """Something that happened: when, of which kind, and what there is to say."""

    at: datetime
    kind: str
    words: str
    more: str = ""


@dataclass(frozen=True)
class Map:
    """A pair, and what became of it.

    Attributes
    ----------
    name
        Of its folder; what addresses call it.
    made
        The newest version; None where there is none yet.
    item
        Its STAC item; None where there is none, or it cannot be read.
    layers
        How each is drawn; none where the map cannot be shown.
    downloads
        Files with their names, the catalogued first.
    older
        Folders of versions that were superseded.
    """

    name: str
    pair: Pair
    made: Interferogram | None
    item: Mapping[str, Any] | None
    layers: Mapping[str, Shown]
    sight: Sight | None
    downloads: Sequence[tuple[str, File, str]]
    spanned: Sequence[str]
    older: Sequence[str]

    @property
    def state(self) -> str:
        """Where it stands, in a word."""
        return "not made yet" if self.made is None else self.made.state


@dataclass(frozen=True)
class Story:
    """An activation as its page tells it."""

    activation: Activation
    title: str
    countries: Sequence[str]
    area_km2: float
    events: Sequence[GeohazardEvent]
    steps: Sequence[Step]
    maps: Sequence[Map]
    passes: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def tell(catalog: Catalog, data_dir: Path, identifier: str, now: datetime) -> Story:
    """Gather the story of an activation.

    Raises
    ------
    NotFoundError
        If there is none of that identifier, in full.
    """
    activation = catalog.browsed_activation(identifier)
    events = catalog.events_of(activation.id)
    titles = {one.slug: title(one) for one in events}
    versions: dict[str, list[Interferogram]] = {}
    for one in catalog.interferograms(activation.id):
        versions.setdefault(one.pair_id, []).append(one)
    products = products_folder(data_dir)
    passes, notes = _still_to_come(products / activation.id / "activation.json", now)
    maps = [
        _map(products, activation, pair, versions.get(pair.id, []), titles)
        for pair in catalog.pairs(activation.id)
        if pair.rank == 0 or pair.id in versions
    ]
    maps.sort(key=lambda one: (one.pair.kind != "co-event", not one.layers))
    return Story(
        activation,
        title(activation.request.event),
        countries_of(activation),
        area_km2(activation.request.area),
        events,
        _steps(catalog, activation, versions),
        maps,
        passes,
        notes,
    )


def _steps(
    catalog: Catalog, activation: Activation, versions: Mapping[str, Sequence[Interferogram]]
) -> list[Step]:
    """Tell what happened in order: reports, states, maps."""
    steps = []
    before: dict[str, str] = {}
    for told in catalog.told_of(activation.id):
        event = told.event
        size = "" if event.magnitude is None else f"M {event.magnitude:.1f}"
        if told.magnitude_type and size:
            size += f" ({told.magnitude_type})"
        depth = "" if event.depth_km is None else f", {event.depth_km:.0f} km deep"
        where = f"{event.latitude:.3f}, {event.longitude:.3f}{depth}"
        said = f"{event.source}: {size or event.event_type} at {where}"
        if told.retracted:
            said = f"{event.source} takes it back: {told.retracted}"
        if before.get(event.source) != said:
            steps.append(Step(told.at, "report", said, event.name))
        before[event.source] = said
    last: ActivationState | None = None
    for change in catalog.history(activation.id):
        if change.state is not last or change.state is ActivationState.WAITING:
            steps.append(Step(change.at, "state", str(change.state), change.reason))
        last = change.state
    for made in (one for of_pair in versions.values() for one in of_pair):
        if made.state in ("complete", "superseded"):
            version = "" if made.version == 1 else f", version {made.version}"
            steps.append(Step(made.created_at, "map", f"map begun: {made.pair_id}{version}"))
    return sorted(steps, key=lambda one: one.at)


def _map(
    products: Path,
    activation: Activation,
    pair: Pair,
    versions: Sequence[Interferogram],
    titles: Mapping[str, str],
) -> Map:
    made = max(versions, key=lambda one: (one.state == "complete", one.version), default=None)
    spanned = [titles[one] for one in pair.spans if one in titles]
    older = [one.folder.rpartition("/")[2] for one in versions if one.state == "superseded"]
    if made is None or made.state != "complete":
        return Map(pair.id, pair, made, None, {}, None, (), spanned, older)
    item: Mapping[str, Any] | None = None
    layers: dict[str, Shown] = {}
    sight = None
    try:
        paths = {role: whole_file(products, one.path, one.size) for role, one in made.files.items()}
        item = _item(products / made.folder / METADATA)
        layers = {
            name: describe(paths[one.file], name)
            for name, one in LAYERS.items()
            if one.file in paths
        }
        sight = sight_of(products / made.folder)
    except (OSError, ValueError, InputError, HTTPException):
        # Damaged: the page says so, and shows the rest.
        layers = {}
    name = made.folder.rpartition("/")[2]
    downloads = _downloads(products, made, item)
    return Map(name, pair, made, item, layers, sight, downloads, spanned, older)


def _item(path: Path) -> Mapping[str, Any]:
    item: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(item, dict) or not isinstance(item.get("properties"), dict):
        raise InputError(f"{path.name}: no STAC item")
    return item


def _downloads(
    products: Path, made: Interferogram, item: Mapping[str, Any] | None
) -> list[tuple[str, File, str]]:
    """List files with what they are."""
    described = {} if item is None else item.get("assets", {})
    listed: list[tuple[str, File, str]] = []
    for one in made.files.values():
        name = one.path.rpartition("/")[2]
        what = described.get(name, {}).get("description", "")
        if name == METADATA:
            what = "STAC item: all that is known of the map"
        listed.append((name, one, what))
    listed.sort(key=lambda one: (not one[0].endswith(".png"), not one[0].startswith("los_d"), one))
    kmz = kmz_of(products, made.folder)
    if kmz is not None:
        listed.append((KMZ, kmz, "For Google Earth"))
    return listed


def _still_to_come(path: Path, now: datetime) -> tuple[list[dict[str, Any]], list[str]]:
    """Read which passes are predicted, as the flow last wrote it; those to come."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        passes = [
            {**one, "time": datetime.fromisoformat(one["time"]).astimezone(UTC)}
            for one in told.get("passes", ())
        ]
        return [one for one in passes if one["time"] > now], [str(one) for one in told["notes"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [], []


def data_of(story: Story) -> dict[str, Any]:
    """Give what the page's script works on."""
    return {
        "id": story.activation.id,
        "colours": {
            layer: [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours(layer)]
            for layer in LAYERS
        },
        "area": story.activation.request.area,
        "events": [
            {"title": title(one), "lat": one.latitude, "lon": one.longitude} for one in story.events
        ],
        "passes": [
            {
                "label": f"{one['time']:%Y-%m-%d %H:%M} UTC, track {one['relative_orbit']}",
                "footprint": one.get("footprint"),
            }
            for one in story.passes
        ],
        "maps": [_map_data(one) for one in story.maps if one.layers],
    }


def _map_data(one: Map) -> dict[str, Any]:
    assert one.made is not None  # noqa: S101  there are layers of what was made only
    pair, sight = one.pair, one.sight
    return {
        "name": one.name,
        # A file that is made again is another: tiles of before are not taken for its.
        "digest": one.made.files["metadata"].sha256[:12] if "metadata" in one.made.files else "0",
        "label": f"{pair.kind}, track {pair.relative_orbit} {pair.direction}",
        "direction": pair.direction,
        "toward": None if sight is None else sight.toward,
        "incidence": None if sight is None else sight.incidence_deg,
        "footprint": None if one.item is None else one.item.get("geometry"),
        "layers": {
            name: {
                "title": LAYERS[name].title,
                "unit": LAYERS[name].unit,
                "low": shown.low * LAYERS[name].scale,
                "high": shown.high * LAYERS[name].scale,
                "bounds": shown.bounds,
                "zoom": shown.zoom,
            }
            for name, shown in one.layers.items()
        },
    }
