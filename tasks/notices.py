"""Tasks that tell people; each message once, however often a flow runs."""

from prefect import get_run_logger, task

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.catalog.interferograms import Interferogram
from geobservatory.catalog.pairs import Pair
from geobservatory.events.model import Activation
from geobservatory.notify import message
from geobservatory.notify.deliver import deliver, queue
from tasks.pairs import Plan
from tasks.policies import RETRY_TRANSIENT


@task(**RETRY_TRANSIENT)
def tell_of_start(activation: Activation) -> None:
    """Tell that the activation has begun."""
    _queue(activation, "activation-started", "", message.of_start(activation))


@task(**RETRY_TRANSIENT)
def tell_of_withdrawal(activation: Activation) -> None:
    """Tell whoever was told of the start that the activation was taken back."""
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        told = catalog.told(activation.id, "activation-started")
        said = message.of_withdrawal(activation, activation.state_reason)
        queue(settings, catalog, activation, "withdrawn", "", said, told)


@task(**RETRY_TRANSIENT)
def tell_of_passes(activation: Activation, plan: Plan) -> None:
    """Tell when satellites come over, if anything is still waited for."""
    if not plan.waits_for or not plan.passes:
        return
    coming = [
        (one.time, f"track {one.relative_orbit}, {one.direction}, {one.mission}, "
         f"{one.coverage:.0%} of the area")
        for one in plan.passes[:5]
    ]  # fmt: skip
    # One notice for each pass that is the next: not one for each time it is looked at, though the
    # prediction moves by seconds.
    key = f"{plan.passes[0].relative_orbit}-{coming[0][0]:%Y%m%d}"
    _queue(activation, "pass-predicted", key, message.of_passes(activation, coming))


@task(**RETRY_TRANSIENT)
def tell_of_map(activation: Activation, pair: Pair, failure: str | None) -> None:
    """Tell that the map of a pair is there, or could not be made; of pairs that show an event."""
    if pair.kind != "co-event":
        return
    about = (
        f"track {pair.relative_orbit} ({pair.direction}), "
        f"{pair.reference_time:%Y-%m-%d} to {pair.secondary_time:%Y-%m-%d}"
    )
    if failure is not None:
        _queue(activation, "map-failed", pair.id, message.of_failure(activation, about, failure))
        return
    with open_configured_catalog(settings_with_blocks()) as catalog:
        made = catalog.newest_interferogram(activation.id, pair.id)
    _queue(activation, "map-ready", made.id, _of_map(activation, about, made))


def _of_map(activation: Activation, about: str, made: Interferogram) -> message.Message:
    found = made.quality.get("deformation") or {}
    ends = [found.get("highest_m") or 0.0, found.get("lowest_m") or 0.0]
    picture = made.files.get("quicklook")
    return message.of_map(
        activation,
        about,
        made.verdict or "",
        tuple(made.quality.get("reasons", ())),
        max(ends, key=abs) if found.get("detected") else None,
        None if picture is None else picture.path,
    )


@task(**RETRY_TRANSIENT)
def deliver_notices() -> None:
    """Send what waits to be sent."""
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        done = deliver(settings, catalog)
    get_run_logger().info("notices: %s sent, %s later, %s failed", *vars(done).values())


def _queue(activation: Activation, kind: str, key: str, said: message.Message) -> None:
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        queue(settings, catalog, activation, kind, key, said)
