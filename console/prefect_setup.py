"""Bring a Prefect server to what `prefect.yaml` and the settings say; safe to run again.

Run by `geobs up` as `python -m console.prefect_setup`, and by hand on a cluster.
"""

import subprocess
import sys
from datetime import timedelta

from prefect.automations import (
    AutomationCore,
    EventTrigger,
    Posture,
)
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.exceptions import ObjectNotFound
from prefect.states import StateType
from prefect.workers.process import ProcessWorker

from blocks.accounts import register_blocks
from console.environment import CHECKOUT, WORK_POOL

_LOST_RUN_AUTOMATION = "mark lost flow runs as crashed"
_PUBLISHED_AUTOMATION = "revisit activations when a product is published"
# Whoever hears that a hub has a new product emits this: a mirror, a subscription's webhook.
_PUBLISHED = "geobservatory.product.published"


def create_work_pool(client: SyncPrefectClient) -> None:
    """Create the pool of this machine's worker, unless it is there."""
    try:
        client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(
                name=WORK_POOL,
                type="process",
                description="Flow runs as processes of one machine",
                base_job_template=ProcessWorker.get_default_base_job_template(),
            )
        )


def create_lost_run_automation(client: SyncPrefectClient) -> None:
    """Mark a flow run Crashed when its process and its worker died together.

    Nobody is left then to report it: the run would stay Running for ever, and hold its
    deployment's concurrency limit. Heart beats come every 30 s (see `console.environment`).
    """
    if client.read_automations_by_name(_LOST_RUN_AUTOMATION):
        return
    alive = "prefect.flow-run.heartbeat"
    ended = ("Completed", "Failed", "Cancelled", "Crashed")
    client.create_automation(
        AutomationCore(
            name=_LOST_RUN_AUTOMATION,
            description="No heart beat for 90 s: the process is gone",
            trigger=EventTrigger(
                after={alive},
                expect={alive, *(f"prefect.flow-run.{state}" for state in ended)},
                match={"prefect.resource.id": ["prefect.flow-run.*"]},
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=90),
            ),
            actions=[
                ChangeFlowRunState(
                    name=None,
                    state=StateType.CRASHED,
                    message="The process is gone (no heart beat for 90 s).",
                    force=False,
                )
            ],
        )
    )


def create_publication_automation(client: SyncPrefectClient) -> None:
    """Revisit what waits at once when somebody says that a product is published."""
    if client.read_automations_by_name(_PUBLISHED_AUTOMATION):
        return
    revisit = client.read_deployment_by_name("revisit-activations/revisit")
    client.create_automation(
        AutomationCore(
            name=_PUBLISHED_AUTOMATION,
            description=f"An event {_PUBLISHED} starts revisit-activations",
            trigger=EventTrigger(
                expect={_PUBLISHED},
                posture=Posture.Reactive,
                threshold=1,
                within=timedelta(0),
            ),
            actions=[
                RunDeployment(
                    source="selected",
                    deployment_id=revisit.id,
                    parameters=None,
                    job_variables=None,
                )
            ],
        )
    )


def deploy_all() -> None:
    """Create or update every deployment of `prefect.yaml`."""
    subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=CHECKOUT,
        check=True,
    )


def main() -> None:
    """Set up the server `PREFECT_API_URL` names."""
    with get_client(sync_client=True) as client:
        create_work_pool(client)
        create_lost_run_automation(client)
    register_blocks()
    deploy_all()
    with get_client(sync_client=True) as client:
        create_publication_automation(client)


if __name__ == "__main__":
    main()
