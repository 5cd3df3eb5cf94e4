"""Tasks that find the activations there is something to do for."""

from datetime import UTC, datetime, timedelta

from prefect import get_run_logger, task
from shapely.geometry import shape

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import Catalog, open_configured_catalog
from geobservatory.engines.order import better_orbit
from geobservatory.errors import ConfigurationError, GeobservatoryError
from geobservatory.events.model import Activation, ActivationState
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Query
from geobservatory.settings import Settings
from tasks.pairs import pairs_of_now
from tasks.policies import RETRY_TRANSIENT
from tasks.scenes import window_of

# Whatever news there is or is not, what waits is looked at this often.
_AT_LEAST = timedelta(hours=12)
# Precise orbits come some 20 days after a pass; asked for once a day, and not for ever.
_DAY, _GIVEN_UP = timedelta(days=1), timedelta(days=60)


@task(**RETRY_TRANSIENT)
def find_abandoned() -> list[Activation]:
    """List activations that ought to be worked on and that no flow run holds."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        open_states = (ActivationState.REQUESTED, ActivationState.RUNNING)
        found = [one for state in open_states for one in catalog.activations(state=state)]
        return [one for one in found if not catalog.is_claimed(one.id)]


@task(**RETRY_TRANSIENT)
def find_waiting() -> list[Activation]:
    """List activations that wait, the most urgent first."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        return catalog.activations(state=ActivationState.WAITING)


@task(**RETRY_TRANSIENT, timeout_seconds=600)
def has_news(activation: Activation) -> bool:
    """Say whether an image came that an activation may wait for, or it is time to look again."""
    log, settings, now = get_run_logger(), settings_with_blocks(), datetime.now(UTC)
    if now - activation.updated_at > _AT_LEAST:
        return True
    window = window_of(activation, settings)
    if activation.updated_at <= window.stop < now:
        return True
    area = shape(activation.request.area)
    # All of the time that matters, not what hubs say was published since: their indexes and clocks
    # are late by hours, and the catalogue knows what is new.
    query = Query(area=area, start=window.start, stop=min(window.stop, now))
    with open_configured_catalog(settings) as catalog:
        known = {one.name for one in catalog.products(area, window.start, window.stop)}
        try:
            found = Hubs(settings, catalog).search(query)
        except ConfigurationError:
            return False
        new = sorted({scene.product.name for scene in found.scenes} - known)
        for name in new:
            log.info("%s: %s is new", activation.id, name)
        return bool(new) or _pairs_are_others(settings, catalog, activation, now)


def _pairs_are_others(
    settings: Settings, catalog: Catalog, activation: Activation, now: datetime
) -> bool:
    """Tell whether other pairs would be chosen now than were.

    What the mirror or anybody's search has made known since is no news in a hub's answer.
    """
    tracks, _ = pairs_of_now(settings, catalog, activation, now)
    best = {pair.id for track in tracks for pair in track.pairs if pair.rank == 0}
    return best != {pair.id for pair in catalog.pairs(activation.id) if pair.rank == 0}


@task(**RETRY_TRANSIENT, timeout_seconds=600)
def find_better_orbits() -> list[Activation]:
    """List finished activations of which a map can be made again with a better orbit."""
    settings = settings_with_blocks()
    if not settings.orbits.fetch:
        return []
    with open_configured_catalog(settings) as catalog:
        complete = catalog.activations(state=ActivationState.COMPLETE)
        recent = [one for one in complete if _is_recent(one)]
        return [one for one in recent if _has_better_orbit(settings, catalog, one)]


def _is_recent(activation: Activation) -> bool:
    now = datetime.now(UTC)
    return now - activation.created_at < _GIVEN_UP and now - activation.updated_at > _DAY


def _has_better_orbit(settings: Settings, catalog: Catalog, activation: Activation) -> bool:
    made = [one for one in catalog.interferograms(activation.id) if one.state == "complete"]
    try:
        return any(better_orbit(settings, one) for one in made)
    except GeobservatoryError as error:
        get_run_logger().warning("%s: no orbits could be asked for: %s", activation.id, error)
        return False
