"""What Prefect knows of the flow runs of an activation."""

from datetime import UTC, datetime, timedelta

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
# A run claims its activation within seconds; one that runs longer and holds no claim was killed.
_SECONDS = timedelta(seconds=60)


@task(**RETRY_TRANSIENT)
def has_live_run(activation: Activation) -> bool:
    """Say whether a flow run for an activation that nobody has claimed is about to claim it."""
    live = FlowRunFilterState(type=FlowRunFilterStateType(any_=_LIVE))
    wanted = [FlowRunFilter(state=live, tags=FlowRunFilterTags(all_=[activation.id]))]
    if activation.flow_run_id:
        ids = FlowRunFilterId(any_=[activation.flow_run_id])
        wanted.append(FlowRunFilter(state=live, id=ids))
    with get_client(sync_client=True) as client:
        runs = [run for one in wanted for run in client.read_flow_runs(flow_run_filter=one)]
    return any(
        run.start_time is None or datetime.now(UTC) - run.start_time < _SECONDS for run in runs
    )
