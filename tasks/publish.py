"""The task that puts an activation before people: its folder with the page."""

from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger, task

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import Catalog, open_configured_catalog
from geobservatory.catalog.interferograms import Interferogram
from geobservatory.catalog.pairs import Pair
from geobservatory.engines.order import title
from geobservatory.engines.publish import products_folder
from geobservatory.events.model import Activation, ActivationState
from geobservatory.products.activation import (
    ActivationPage,
    ShownEvent,
    ShownMap,
    ShownPass,
    write_activation,
)
from tasks.pairs import Plan
from tasks.policies import RETRY_TRANSIENT


@task(**RETRY_TRANSIENT)
def publish(activation: Activation, plan: Plan, state: ActivationState, reason: str) -> Path:
    """Bring the activation's folder up to date: page, collection, checksums.

    The state comes from who asks: the page is there before the catalogue says that all is done.
    """
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        about = _page(catalog, activation, plan, state, reason)
    page = write_activation(products_folder(settings.data_dir) / activation.id, about)
    get_run_logger().info("the page: %s", page)
    return page


def _page(
    catalog: Catalog, activation: Activation, plan: Plan, state: ActivationState, reason: str
) -> ActivationPage:
    # The newest version that is complete; the newest where none is.
    versions = sorted(
        catalog.interferograms(activation.id),
        key=lambda one: (one.state == "complete", one.version),
    )
    made = {one.pair_id: one for one in versions}
    events, asked = catalog.events_of(activation.id), activation.request.event
    return ActivationPage(
        id=activation.id,
        title=title(activation.request.event),
        state=state,
        reason=reason,
        area=activation.request.area,
        events=tuple(
            ShownEvent(
                title(one),
                one.time,
                one.longitude,
                one.latitude,
                one.magnitude,
                one.depth_km,
                # Of an event that several agencies reported, the catalogue has the settled figures.
                asked.source if one.time == asked.time else "–",
            )
            for one in events
        ),
        maps=tuple(
            _shown(activation, pair, made.get(pair.id), {one.slug: title(one) for one in events})
            for pair in plan.pairs
        ),
        passes=tuple(
            ShownPass(
                one.time,
                one.relative_orbit,
                one.direction,
                one.mission,
                one.coverage,
                one.footprint,
            )
            for one in plan.passes
        ),
        notes=tuple(
            one.waits_for or one.lacks for one in plan.tracks if one.waits_for or one.lacks
        ),
    )


def _shown(
    activation: Activation, pair: Pair, made: Interferogram | None, titles: Mapping[str, str]
) -> ShownMap:
    if made is None:
        folder, note = pair.id, "not made yet"
    else:
        folder = made.folder.removeprefix(f"{activation.id}/")
        note = {"running": "under way", "failed": f"failed: {made.reason}"}.get(made.state, "")
    return ShownMap(
        folder,
        pair.kind,
        pair.relative_orbit,
        pair.direction,
        pair.reference_time,
        pair.secondary_time,
        pair.reason,
        note,
        tuple(titles[one] for one in pair.spans if one in titles),
    )
