"""From an event to a catalogued deformation map; so far: from an event to a recorded activation."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import ActivationState
from tasks.activations import (
    find_missing,
    measure_area,
    record_activation,
    report,
    set_state,
    take_up,
)


@flow(name="respond-to-event", flow_run_name="{request.event_type} {request.event_time}")
def respond_to_event(request: ActivationForm) -> State:
    """Respond to an event: record it, and do what can be done about it now.

    Asking again for the same event is the same activation, and a run that was interrupted is
    simply started again: what is done is found in the catalogue.

    Args:
        request: What happened, where and when. Give a place (with a radius), or an area.
    """
    activation = record_activation(request)
    with (
        open_configured_catalog(settings_with_blocks()) as catalog,
        catalog.claim(activation.id) as ours,
    ):
        if not ours:
            return Completed(
                name="AlreadyAtWork", message=f"another flow run is at work on {activation.id}"
            )
        if activation.state is ActivationState.WITHDRAWN:
            # Between the alert and this run a revision took it back; a person would have reopened.
            return Completed(
                name="Withdrawn", message=f"{activation.id}: {activation.state_reason}"
            )
        activation = take_up(activation)
        size_km2 = measure_area(activation.request.area)
        missing = find_missing(activation)
        report(activation, size_km2, missing)
        set_state(activation, ActivationState.WAITING, "; ".join(missing))
    return Completed(name="Waiting", message=f"{activation.id} waits: {'; '.join(missing)}")
