"""What Prefect knows of the flow runs of an activation."""

from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.states import StateType

from geobservatory.events.model import Activation
from tasks.policies import RETRY_TRANSIENT

_LIVE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING]


@task(**RETRY_TRANSIENT)
def has_live_run(activation: Activation) -> bool:
    """Say whether a flow run for this activation is under way or about to be."""
    live = FlowRunFilterState(type=FlowRunFilterStateType(any_=_LIVE))
    names = [FlowRunFilter(state=live, tags=FlowRunFilterTags(all_=[activation.id]))]
    if activation.flow_run_id:
        ids = FlowRunFilterId(any_=[activation.flow_run_id])
        names.append(FlowRunFilter(state=live, id=ids))
    with get_client(sync_client=True) as client:
        return any(client.read_flow_runs(flow_run_filter=one, limit=1) for one in names)
