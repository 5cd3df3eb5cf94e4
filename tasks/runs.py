"""What Prefect knows of flow runs, and which of them will never come to anything."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import get_run_logger, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.states import Crashed, StateType

from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from tasks.policies import RETRY_TRANSIENT

RESPOND = "respond-to-event/respond"

_LIVE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]
# A run claims its activation within seconds; one that runs longer and holds no claim was killed.
# One whose worker was killed as it was being submitted stays pending for ever.
_SECONDS = timedelta(seconds=60)
_SUBMITTED = timedelta(seconds=120)
_POLL_S = 2.0


@task(**RETRY_TRANSIENT)
def has_live_run(activation: Activation) -> bool:
    """Say whether a flow run for an activation that nobody has claimed is about to claim it."""
    live = FlowRunFilterState(type=FlowRunFilterStateType(any_=_LIVE))
    wanted = [FlowRunFilter(state=live, tags=FlowRunFilterTags(all_=[activation.id]))]
    if activation.flow_run_id:
        ids = FlowRunFilterId(any_=[UUID(activation.flow_run_id)])
        wanted.append(FlowRunFilter(state=live, id=ids))
    with get_client(sync_client=True) as client:
        runs = [run for one in wanted for run in client.read_flow_runs(flow_run_filter=one)]
    return any(run.state_type is StateType.SCHEDULED or _age(run) < _SECONDS for run in runs)


@task(**RETRY_TRANSIENT)
def start_response(activation: Activation) -> None:
    """Start the flow that responds to an activation's event."""
    form = ActivationForm.from_request(activation.request)
    run_deployment(
        RESPOND,
        parameters={"request": form.model_dump(mode="json")},
        tags=[activation.id],
        timeout=0,
        as_subflow=False,
    )
    get_run_logger().info("taken up: %s", activation.id)


def wait_for(run: FlowRun) -> State:
    """Wait until a flow run has ended, and give its state.

    One that nobody will ever begin is marked as crashed. One that runs and whose process is gone is
    marked so by an automation (see `console.prefect_setup`).
    """
    with get_client(sync_client=True) as client:
        while True:
            found = client.read_flow_run(run.id)
            if found.state is not None and found.state.is_final():
                return found.state
            if found.state_type is StateType.PENDING and _age(found) > _SUBMITTED:
                _give_up(client, found)
            time.sleep(_POLL_S)


def _give_up(client: SyncPrefectClient, run: FlowRun) -> None:
    message = f"No worker has begun it for {_SUBMITTED.seconds} s."
    client.set_flow_run_state(run.id, Crashed(message=message), force=True)


def _age(run: FlowRun) -> timedelta:
    """Tell how long a run has been in its state."""
    since = run.state.timestamp if run.state is not None else run.created
    return datetime.now(UTC) - since if since is not None else timedelta(0)
