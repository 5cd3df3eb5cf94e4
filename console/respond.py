"""Start the flow that responds to an event: on the running Prefect server, else here."""

import hashlib
import os
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from console.environment import api_url, prefect_environment
from console.services import answers
from geobservatory.errors import GeobservatoryError, TransientError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from geobservatory.settings import Settings

_DEPLOYMENT = "respond-to-event/respond"


def start_response(
    settings: Settings, activation: Activation, form: ActivationForm, *, again: bool = False
) -> str:
    """Start `respond-to-event` for an activation, once however often it is asked.

    Parameters
    ----------
    again
        Start a flow run though there was one for the same form.

    Returns
    -------
    str
        What was done, for a person to read.
    """
    api = api_url(settings)
    if answers(f"{api}/health"):
        return _on_the_server(api, activation, form, again)
    if "PREFECT_API_URL" in os.environ:
        raise TransientError(
            f"{activation.id} is recorded, but the Prefect server at {api} does not answer; "
            "the flow revisit-activations will start it, or trigger it again"
        )
    try:
        _in_this_process(settings, form)
    except GeobservatoryError:
        raise
    except Exception as error:
        raise GeobservatoryError(
            f"{activation.id} is recorded, but its flow failed in this process: {error}"
        ) from error
    return f"no Prefect server answers at {api}: the flow ran in this process"


def start_on_server(
    settings: Settings, activation: Activation, form: ActivationForm, *, again: bool = True
) -> str:
    """Start `respond-to-event` on the Prefect server.

    Parameters
    ----------
    again
        Start a flow run though there was one for the same form.

    Returns
    -------
    str
        What was done, for a person to read.

    Raises
    ------
    TransientError
        If no server answers; the activation stays as it is recorded.
    """
    api = api_url(settings)
    if not answers(f"{api}/health"):
        raise TransientError(f"recorded; no Prefect server answers at {api} to start its flow")
    return _on_the_server(api, activation, form, again)


def _on_the_server(api: str, activation: Activation, form: ActivationForm, again: bool) -> str:
    """Create the flow run; plain HTTP, because importing Prefect takes two seconds."""
    session = patient_session()
    request = form.model_dump(mode="json")
    # Ten triggers of the same request at once are one flow run.
    digest = uuid4().hex if again else hashlib.sha256(form.model_dump_json().encode()).hexdigest()
    try:
        found = session.get(f"{api}/deployments/name/{_DEPLOYMENT}", timeout=30)
        if found.status_code == 404:
            raise GeobservatoryError(
                f"{activation.id} is recorded, but the Prefect server at {api} has no deployment "
                f"{_DEPLOYMENT}; `geobs up` or `python -m console.prefect_setup` creates it"
            )
        found.raise_for_status()
        run = session.post(
            f"{api}/deployments/{found.json()['id']}/create_flow_run",
            json={
                "parameters": {"request": request},
                "tags": [activation.id],
                "idempotency_key": f"{activation.id}-{digest[:16]}",
            },
            timeout=30,
        )
        run.raise_for_status()
    except requests.RequestException as error:
        raise TransientError(
            f"{activation.id} is recorded, but the Prefect server did not start the flow: {error}"
        ) from error
    return f"flow run {run.json()['name']} ({run.json()['id']}) on the Prefect server at {api}"


def patient_session() -> requests.Session:
    """Make a session for requests that are safe to repeat.

    Prefect's server says 503 while others keep its database busy.
    """
    session = requests.Session()
    retry = Retry(total=6, backoff_factor=0.3, status_forcelist=[502, 503], allowed_methods=None)
    session.mount("http://", HTTPAdapter(max_retries=retry))
    session.mount("https://", HTTPAdapter(max_retries=retry))
    return session


def _in_this_process(settings: Settings, form: ActivationForm) -> None:
    environment = prefect_environment(settings, ephemeral=True)
    os.environ.update(environment)
    # Prefect reads its environment when it is imported.
    from flows.observatory import respond_to_event

    respond_to_event(form)
