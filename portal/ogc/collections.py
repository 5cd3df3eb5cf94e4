"""The collections, and how what the catalogue knows becomes features of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from geobservatory.catalog.browsing import ListedEvent, ListedProduct, Sought
from geobservatory.catalog.database import Catalog
from geobservatory.catalog.paging import Page, Place
from geobservatory.events.model import Activation
from portal.api.models import ProductOut

# RFC 7946 has no other.
CRS = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
# Of files these are linked from the features themselves: what people look at first.
_LINKED = ("quicklook", "los_displacement", "unwrapped_phase", "wrapped_phase", "coherence")

Feature = dict[str, Any]


@dataclass(frozen=True)
class Collection:
    """A collection of features.

    Attributes
    ----------
    browse
        Gives a page of what the catalogue knows.
    find
        Gives one by its identifier.
    feature
        Makes a feature of one of them.
    """

    id: str
    title: str
    description: str
    browse: Callable[[Catalog, Sought, int, Place | None], Page[Any]]
    find: Callable[[Catalog, str], Any]
    feature: Callable[[Request, Any], Feature]


def _event(_: Request, one: ListedEvent) -> Feature:
    event = one.event
    return _feature(
        one.id,
        {"type": "Point", "coordinates": [event.longitude, event.latitude]},
        {
            "event_type": event.event_type,
            "time": event.time.isoformat(),
            "magnitude": event.magnitude,
            "depth_km": event.depth_km,
            "name": event.name,
            "activation_id": one.activation_id,
        },
    )


def _activation(_: Request, one: Activation) -> Feature:
    event = one.request.event
    return _feature(
        one.id,
        one.request.area,
        {
            "state": one.state,
            "state_reason": one.state_reason,
            "event_type": event.event_type,
            "event_time": event.time.isoformat(),
            "magnitude": event.magnitude,
            "depth_km": event.depth_km,
            "name": event.name,
            "created_at": one.created_at.isoformat(),
            "updated_at": one.updated_at.isoformat(),
        },
    )


def _product(request: Request, one: ListedProduct) -> Feature:
    told = ProductOut.of(request, one)
    links = {file.role: file.href for file in told.files}
    return _feature(
        told.id,
        one.geometry,
        {
            "activation_id": told.activation_id,
            "kind": told.pair.kind,
            "relative_orbit": told.pair.relative_orbit,
            "direction": told.pair.direction,
            "reference_time": told.pair.reference_time.isoformat(),
            "secondary_time": told.pair.secondary_time.isoformat(),
            "verdict": told.verdict,
            "engine": told.engine,
            "version": told.version,
            "created_at": told.created_at.isoformat(),
            **{role: links.get(role) for role in _LINKED},
        },
    )


def _feature(identifier: str, geometry: Mapping[str, Any], properties: dict[str, Any]) -> Feature:
    return {"type": "Feature", "id": identifier, "geometry": geometry, "properties": properties}


COLLECTIONS = {
    one.id: one
    for one in (
        Collection(
            "events",
            "Events",
            "Earthquakes, eruptions and landslides as they are known now",
            lambda catalog, *asked: catalog.browse_events(*asked),
            lambda catalog, identifier: catalog.browsed_event(identifier),
            _event,
        ),
        Collection(
            "activations",
            "Activations",
            "Areas that are looked at after an event, and where that stands",
            lambda catalog, *asked: catalog.browse_activations(*asked),
            lambda catalog, identifier: catalog.browsed_activation(identifier),
            _activation,
        ),
        Collection(
            "interferograms",
            "Interferograms",
            "Footprints of complete interferograms, with the addresses of their files",
            lambda catalog, *asked: catalog.browse_products(*asked),
            lambda catalog, identifier: catalog.browsed_product(identifier),
            _product,
        ),
    )
}
