"""Tasks that choose the pairs of an activation and say which passes come next."""

from datetime import UTC, datetime, timedelta

from prefect import get_run_logger, task
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict
from shapely.geometry import shape

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import Catalog, open_configured_catalog
from geobservatory.catalog.pairs import Pair
from geobservatory.events.model import Activation, Also
from geobservatory.hubs.model import Product
from geobservatory.pairs import select
from geobservatory.pairs.passes import group_passes, share
from geobservatory.pairs.predict import NextPass, predict_passes
from geobservatory.pairs.select import Track, Wish
from geobservatory.settings import Settings
from tasks.policies import RETRY_TRANSIENT
from tasks.scenes import window_of

# How far ahead passes are shown, and how much of the past they are predicted from.
_AHEAD, _HISTORY = timedelta(days=24), timedelta(days=48)


class Seen(BaseModel):
    """A pass that was taken over the area."""

    model_config = ConfigDict(frozen=True)

    time: datetime
    relative_orbit: int
    direction: str
    mission: str
    slices: tuple[str, ...]
    coverage: float


class Plan(BaseModel):
    """What is to be made of an activation now, and what is still to come."""

    model_config = ConfigDict(frozen=True)

    scenes: tuple[Seen, ...]
    tracks: tuple[Track, ...]
    passes: tuple[NextPass, ...]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of which maps are made; those that show an event first."""
        chosen = [pair for track in self.tracks for pair in track.pairs if pair.rank == 0]
        return tuple(sorted(chosen, key=lambda pair: pair.kind != "co-event"))

    @property
    def waits_for(self) -> tuple[str, ...]:
        """What has to come before all is done."""
        return tuple(track.waits_for for track in self.tracks if track.waits_for)


def pairs_of_now(
    settings: Settings, catalog: Catalog, activation: Activation, now: datetime
) -> tuple[tuple[Track, ...], list[Product]]:
    """Choose the pairs of every track among the scenes that the catalogue knows now.

    Returns
    -------
    tracks, products
        The products are all that were looked at, those of before the window too.
    """
    window, asked = window_of(activation, settings), activation.request
    area = shape(asked.area)
    events = {one.slug: one.time for one in catalog.events_of(activation.id)}
    products = catalog.products(area, window.start - _HISTORY, window.stop)
    wish = Wish(
        area=area,
        events=events,
        until=window.stop,
        now=now,
        tracks=asked.tracks,
        post_event=Also.POST_EVENT in asked.also,
        chain=Also.CHAIN in asked.also,
        alternatives=1,
    )
    recent = [one for one in products if one.stop >= window.start]
    return tuple(select.choose_pairs(recent, wish)), products


@task(**RETRY_TRANSIENT)
def choose_pairs(activation: Activation) -> Plan:
    """Choose the pairs of every track among the scenes that the catalogue knows; record them."""
    settings, now = settings_with_blocks(), datetime.now(UTC)
    window, asked = window_of(activation, settings), activation.request
    area = shape(asked.area)
    with open_configured_catalog(settings) as catalog:
        tracks, products = pairs_of_now(settings, catalog, activation, now)
        pairs = [pair for track in tracks for pair in track.pairs]
        catalog.record_pairs(activation.id, pairs, str(flow_run.id))
    recent = [one for one in products if one.stop >= window.start]
    passes: tuple[NextPass, ...] = ()
    if now < window.stop:
        until = min(window.stop, now + _AHEAD)
        passes = tuple(predict_passes(products, area, now, until, asked.tracks))
    for track in tracks:
        said = track.waits_for or track.lacks or f"{len(track.pairs)} pairs"
        get_run_logger().info("track %s %s: %s", track.relative_orbit, track.direction, said)
    scenes = tuple(
        Seen(
            time=one.start,
            relative_orbit=one.relative_orbit,
            direction=one.direction,
            mission=one.mission,
            slices=one.names,
            coverage=share(area, one.footprint),
        )
        for one in group_passes(recent)
    )
    return Plan(scenes=scenes, tracks=tracks, passes=passes)
