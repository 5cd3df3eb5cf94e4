"""The interferogram of a pair: images, orbits and heights brought, the engine run, all recorded."""

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.runtime import deployment
from prefect.states import Completed

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.errors import GeobservatoryError, TransientError
from tasks.interferograms import (
    Images,
    begin,
    fetch_heights,
    fetch_image,
    fetch_orbit,
    give_up,
    interfere,
    open_job,
)
from tasks.policies import RETRY_TRANSIENT
from tasks.runs import wait_for

PAIR = "make-interferogram/pair"


@flow(name="make-interferogram", flow_run_name="{pair_id}")
def make_interferogram(activation_id: str, pair_id: str) -> State:
    """Make the interferogram of a pair of an activation, or find it made.

    Run again after anything: what is here is not fetched again, what was made of the same inputs
    is not made again, and a better orbit makes a version that supersedes the one before.

    Args:
        activation_id: As `geobs events` lists it.
        pair_id: As `geobs show` lists it.
    """
    job = open_job(activation_id, pair_id)
    with (
        open_configured_catalog(settings_with_blocks()) as catalog,
        catalog.making(job.activation.id, job.pair.id),
    ):
        names = (*job.pair.reference, *job.pair.secondary)
        heights = fetch_heights.submit(job)
        fetched = [one.result() for one in [fetch_image.submit(name, job) for name in names]]
        images = Images(
            reference=tuple(fetched[: len(job.pair.reference)]),
            secondary=tuple(fetched[len(job.pair.reference) :]),
        )
        orbits = fetch_orbit(images.reference), fetch_orbit(images.secondary)
        heights.result()
        begun = begin(job, orbits)
        if begun.state == "complete":
            return Completed(name="AlreadyMade", message=f"{begun.id}: {begun.verdict}")
        try:
            interfere(job, begun, images)
        except Exception as error:
            give_up(begun, f"{type(error).__name__}: {error}"[:500])
            raise
    return Completed(message=f"{begun.id} is in the catalogue")


@task(**RETRY_TRANSIENT, task_run_name="{pair_id}")
def start_pair(activation_id: str, pair_id: str) -> str:
    """Run `make-interferogram` and wait for it; say what came of it.

    Under a worker it is a flow run of its own, so a process of its own on whichever machine has a
    place; else it runs here.

    Raises
    ------
    TransientError
        If its process died.
    GeobservatoryError
        If it failed.
    """
    given = {"activation_id": activation_id, "pair_id": pair_id}
    if deployment.id is None:
        state = make_interferogram(**given, return_state=True)
    else:
        state = wait_for(
            run_deployment(PAIR, parameters=given, tags=[f"maps of {activation_id}"], timeout=0)
        )
    if state.is_crashed():
        raise TransientError(f"{pair_id}: its process died: {state.message}")
    if not state.is_completed():
        raise GeobservatoryError(str(state.message))
    return str(state.message)
