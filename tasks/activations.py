"""Tasks about activations: record them, take them up, say what they still lack."""

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.runtime import flow_run

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation, ActivationState
from geobservatory.globe import area_km2
from tasks.policies import RETRY_TRANSIENT, versioned
from tasks.reports import activation_report, map_link


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


@task(cache_policy=versioned(1))
def measure_area(area: dict[str, object]) -> float:
    """Measure the area of interest, in square kilometres."""
    return area_km2(area)


@task
def find_missing(activation: Activation) -> list[str]:
    """List what the activation still lacks before a map can be made."""
    missing = []
    if not settings_with_blocks().hubs:
        missing.append("no hub is configured, so no images can be asked for: [[hubs]]")
    missing.append("scenes: this version records events; it does not search for images yet")
    return missing


@task
def report(activation: Activation, size_km2: float, missing: list[str]) -> None:
    """Leave what an operator wants to read: the event, the area, and what is missing."""
    key = f"activation-{activation.id}".lower()
    create_markdown_artifact(
        activation_report(activation, size_km2, missing),
        key=key,
        description=f"What is known of {activation.id}, and what it waits for",
    )
    create_link_artifact(map_link(activation.request.event), link_text="the place on a map")


@task(**RETRY_TRANSIENT)
def set_state(activation: Activation, state: ActivationState, reason: str) -> Activation:
    """Write where the activation stands, and why."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        return catalog.set_state(activation.id, state, reason, flow_run_id=str(flow_run.id))


@task(**RETRY_TRANSIENT)
def find_abandoned() -> list[Activation]:
    """List activations that ought to be worked on and that no flow run holds."""
    with open_configured_catalog(settings_with_blocks()) as catalog:
        open_states = (ActivationState.REQUESTED, ActivationState.RUNNING)
        found = [one for state in open_states for one in catalog.activations(state=state)]
        return [one for one in found if not catalog.is_claimed(one.id)]
