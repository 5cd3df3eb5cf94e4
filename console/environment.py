"""The environment every Prefect process of ours runs in."""

import os
from pathlib import Path

from geobservatory.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[1]
WORK_POOL = "geobs"


def api_url(settings: Settings) -> str:
    """Address of the Prefect API: the operator's `PREFECT_API_URL`, else the one we start."""
    own = f"http://{settings.services.host}:{settings.services.prefect_port}/api"
    return os.environ.get("PREFECT_API_URL", own)


def prefect_environment(settings: Settings, *, ephemeral: bool = False) -> dict[str, str]:
    """Variables for a Prefect server, worker, client or in-process run; makes Prefect's folder.

    Parameters
    ----------
    ephemeral
        For a flow run without a server: Prefect starts a private one inside the process.
    """
    home = settings.data_dir / "prefect"
    # Prefect's private server waits two minutes for a database in a folder that is not there.
    home.mkdir(parents=True, exist_ok=True)
    ours = {
        "GEOBS_HOME": str(CHECKOUT),
        "GEOBS_DATA_DIR": str(settings.data_dir),
        "PREFECT_HOME": str(home),
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "results"),
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A flow run that stops beating is marked Crashed by an automation (see prefect_setup).
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }
    if ephemeral:
        ours["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "true"
        # It takes 10 s here, more where the machine is busy or Prefect's database is made first.
        ours["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "120"
    else:
        ours["PREFECT_API_URL"] = api_url(settings)
    environment = {**os.environ, **ours}
    if ephemeral:
        environment.pop("PREFECT_API_URL", None)
    return environment
