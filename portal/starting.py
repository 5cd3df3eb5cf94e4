"""Asking for an activation: recorded in the catalogue, and started where flows run."""

import logging

from geobservatory.errors import GeobservatoryError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from portal.shared import Shared

_LOG = logging.getLogger(__name__)


async def start(shared: Shared, form: ActivationForm) -> tuple[Activation, bool, str]:
    """Record an activation, and start its flow.

    Returns
    -------
    activation, created, how
        `created` is False where it was known already; `how` says what was done to start it. What
        was recorded and not started is started by the flow `revisit-activations`.
    """
    activation, created = await shared.ask(
        lambda catalog: catalog.request_activation(form.to_request())
    )
    begin = shared.start
    if begin is None:
        return activation, created, "recorded; nothing here starts flows"
    try:
        await shared.starting.do(lambda: begin(activation, form))
    except (GeobservatoryError, TimeoutError) as error:
        # With addresses of servers in it: for the log.
        _LOG.warning("%s is recorded and not started: %s", activation.id, error)
        return activation, created, "recorded; its flow will be started as soon as that can be"
    return activation, created, "its flow is started"
