"""Take up activations that there is something to do for."""

from prefect import flow

from tasks.notices import deliver_notices
from tasks.revisits import find_abandoned, find_better_orbits, find_waiting, has_news
from tasks.runs import has_live_run, start_response


@flow(name="revisit-activations")
def revisit_activations() -> list[str]:
    """Start `respond-to-event` for each activation that was requested, interrupted or has news.

    An activation lives in the catalogue, not in a process: whatever was killed, this finds it.
    News are an image that came, the end of the time that images are waited for, and better orbits
    of images that were used.
    """
    due = find_abandoned()
    due += [one for one in find_waiting() if has_news(one)]
    due += find_better_orbits()
    taken_up = []
    for activation in due:
        if not has_live_run(activation):
            start_response(activation)
            taken_up.append(activation.id)
    deliver_notices(return_state=True)
    return taken_up
