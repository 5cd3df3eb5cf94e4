"""Tasks that find the scenes over an activation."""

from datetime import UTC, datetime, timedelta

from prefect import get_run_logger, task
from pydantic import BaseModel, ConfigDict
from shapely.geometry import shape

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.errors import TransientError
from geobservatory.events.model import Activation
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Query
from geobservatory.settings import Settings
from tasks.policies import RETRY_TRANSIENT


class HubAnswer(BaseModel):
    """What a hub answered: how many products in how many seconds, or why not."""

    model_config = ConfigDict(frozen=True)

    hub: str
    found: int
    seconds: float
    failure: str | None


class Window(BaseModel):
    """The time images are looked for in, UTC."""

    model_config = ConfigDict(frozen=True)

    start: datetime
    stop: datetime


def window_of(activation: Activation, settings: Settings) -> Window:
    """Say in which time an activation looks for images."""
    asked, usual = activation.request, settings.activation
    time = asked.event.time
    return Window(
        start=time - timedelta(days=asked.days_before or usual.days_before),
        stop=time + timedelta(days=asked.days_after or usual.days_after),
    )


@task(**RETRY_TRANSIENT, timeout_seconds=600)
def find_scenes(activation: Activation) -> tuple[HubAnswer, ...]:
    """Ask every hub for the images over the area, of all tracks, before and after the event.

    The catalogue keeps what they answer; a hub that fails holds up none of the others.
    """
    log, settings = get_run_logger(), settings_with_blocks()
    window = window_of(activation, settings)
    query = Query(
        area=shape(activation.request.area),
        start=window.start,
        stop=min(window.stop, datetime.now(UTC)),
    )
    with open_configured_catalog(settings) as catalog:
        found = Hubs(settings, catalog).search(query)
    answers = tuple(
        HubAnswer(
            hub=one.hub,
            found=one.found,
            seconds=one.seconds,
            failure=None if one.failure is None else str(one.failure),
        )
        for one in found.answers
    )
    for one in answers:
        log.info("%s: %s", one.hub, one.failure or f"{one.found} products in {one.seconds:.1f} s")
    if all(one.failure is not None for one in answers):
        raise TransientError(f"no hub answered: {'; '.join(str(one.failure) for one in answers)}")
    return answers
