"""Tasks about activations: record them, take them up, say where they stand."""

from prefect import task
from prefect.runtime import flow_run

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation, ActivationState
from tasks.policies import RETRY_TRANSIENT


@task(**RETRY_TRANSIENT)
def record_activation(form: ActivationForm) -> Activation:
    """Record the event and its activation; the same event again is the same activation."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        activation, _ = catalog.request_activation(form.to_request())
        return activation


@task(**RETRY_TRANSIENT)
def take_up(activation: Activation) -> Activation:
    """Mark the activation as being worked on by this flow run."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        return catalog.set_state(
            activation.id, ActivationState.RUNNING, "", flow_run_id=str(flow_run.id)
        )


@task(**RETRY_TRANSIENT)
def set_state(activation: Activation, state: ActivationState, reason: str) -> Activation:
    """Write where the activation stands, and why."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        said = reason[:2000]
        return catalog.set_state(activation.id, state, said, flow_run_id=str(flow_run.id))
