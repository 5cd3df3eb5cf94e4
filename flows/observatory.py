"""From an event to catalogued deformation maps, and to the people who need them."""

from collections.abc import Mapping

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from blocks.settings import settings_with_blocks
from flows.interferogram import start_pair
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.errors import ConfigurationError, TransientError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation, ActivationState
from tasks.activations import record_activation, set_state, take_up
from tasks.notices import (
    deliver_notices,
    tell_of_map,
    tell_of_passes,
    tell_of_start,
    tell_of_withdrawal,
)
from tasks.pairs import Plan, choose_pairs
from tasks.publish import publish
from tasks.reports import report_event, report_plan, report_results
from tasks.scenes import find_scenes


@flow(
    name="respond-to-event",
    flow_run_name="{request.event_type} {request.event_time}",
    # Pairs under way at once; how many of them compute at once is the engine's setting.
    task_runner=ThreadPoolTaskRunner(max_workers=4),
)
def respond_to_event(request: ActivationForm) -> State:
    """Respond to an event: find images before and after, map what moved, tell people.

    Asking again for the same event is the same activation, and a run that was interrupted is
    simply started again: what is done is found in the catalogue. Where images are still to come,
    the activation waits in the catalogue, and `revisit-activations` takes it up again.

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
            tell_of_withdrawal(activation)
            deliver_notices(return_state=True)
            return Completed(
                name="Withdrawn", message=f"{activation.id}: {activation.state_reason}"
            )
        activation = take_up(activation)
        try:
            ended = _respond(activation)
            while (now := catalog.activation(activation.id)).request != activation.request:
                # A revision has widened the area meanwhile: once more, with what is asked now.
                activation = take_up(now)
                ended = _respond(activation)
            return ended
        except (ConfigurationError, TransientError) as error:
            # Nothing is wrong with the activation: it is looked at again.
            set_state(activation, ActivationState.WAITING, str(error))
            return Completed(name="Waiting", message=f"{activation.id} waits: {error}")
        except Exception as error:
            set_state(activation, ActivationState.FAILED, f"{type(error).__name__}: {error}")
            raise
        finally:
            deliver_notices(return_state=True)


def _respond(activation: Activation) -> State:
    # Reports and messages hold up no map: what fails of them is in their task runs.
    report_event(activation, return_state=True)
    tell_of_start(activation, return_state=True)
    answers = find_scenes(activation)
    plan = choose_pairs(activation)
    report_plan(activation, answers, plan, return_state=True)
    tell_of_passes(activation, plan, return_state=True)
    publish(activation, plan, activation.state, "maps are being made")
    failures = _make_maps(activation, plan)
    state, reason = _ending(activation, plan, failures)
    page = publish(activation, plan, state, reason)
    report_results(activation, page, return_state=True)
    set_state(activation, state, reason)
    if state is ActivationState.FAILED:
        return Failed(message=f"{activation.id}: {reason}")
    name = "Waiting" if state is ActivationState.WAITING else "Completed"
    return Completed(name=name, message=f"{activation.id}: {reason}")


def _make_maps(activation: Activation, plan: Plan) -> Mapping[str, str]:
    """Make the map of every pair; what fails, and why, by pair: it holds up none of the others."""
    started = [(pair, start_pair.submit(activation.id, pair.id)) for pair in plan.pairs]
    deliver_notices(return_state=True)
    failures = {}
    for pair, future in started:
        future.wait()
        if not future.state.is_completed():
            failures[pair.id] = str(future.state.message)
        tell_of_map(activation, pair, failures.get(pair.id), return_state=True)
        deliver_notices(return_state=True)
    return failures


def _ending(
    activation: Activation, plan: Plan, failures: Mapping[str, str]
) -> tuple[ActivationState, str]:
    """Say where the activation stands once all is done that can be done now."""
    made, asked = len(plan.pairs) - len(failures), len(plan.pairs)
    said = [f"{made} of {asked} maps made" if asked else "no pair of images"]
    said += [f"{name} failed: {why}" for name, why in failures.items()]
    if plan.waits_for:
        return ActivationState.WAITING, "; ".join(["waits for " + ", ".join(plan.waits_for), *said])
    said += [track.lacks for track in plan.tracks if track.lacks]
    if not made:
        said.append(f"`geobs retry {activation.id}` tries again")
        return ActivationState.FAILED, "; ".join(said)
    return ActivationState.COMPLETE, "; ".join(said)
