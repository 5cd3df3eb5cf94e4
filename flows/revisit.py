"""Take up activations that nobody is at work on."""

from prefect import flow, get_run_logger
from prefect.deployments import run_deployment

from geobservatory.events.form import ActivationForm
from tasks.activations import find_abandoned
from tasks.runs import has_live_run

RESPOND = "respond-to-event/respond"


@flow(name="revisit-activations")
def revisit_activations() -> list[str]:
    """Start `respond-to-event` for each activation that was requested or interrupted.

    An activation lives in the catalogue, not in a process: whatever was killed, this finds it.
    """
    taken_up = []
    for activation in find_abandoned():
        if has_live_run(activation):
            continue
        form = ActivationForm.from_request(activation.request)
        run_deployment(
            RESPOND,
            parameters={"request": form.model_dump(mode="json")},
            tags=[activation.id],
            timeout=0,
            as_subflow=False,
        )
        get_run_logger().info("taken up again: %s", activation.id)
        taken_up.append(activation.id)
    return taken_up
