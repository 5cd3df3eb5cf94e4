"""`geobs portal`: the pages for people and the metrics for monitors, over HTTP."""

import os
import signal
import sys
from typing import Any

import typer

_SETTING = "services.portal_port"


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(portal)


def portal() -> None:
    """Serve /hubs (how hubs do), /metrics (for Prometheus) and /healthz; until Ctrl-C.

    Where: services.host and services.portal_port. `geobs up` keeps it running.

    Example: geobs portal
    """
    from console.processes import refuse_taken_port
    from console.respond import start_on_server
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.errors import TransientError
    from geobservatory.settings import load_settings
    from portal.app import create_app

    settings = load_settings()
    host, port = settings.services.host, settings.services.portal_port
    refuse_taken_port("portal", host, port, _SETTING)
    # What is wrong is refused here; what only does not answer yet is waited for.
    try:
        with open_configured_catalog(settings):
            pass
    except TransientError as error:
        print(f"geobs: {error}; served without until it answers", file=sys.stderr)
    print(f"http://{host}:{port}", flush=True)
    app = create_app(
        settings,
        lambda: open_configured_catalog(settings),
        lambda activation, form: start_on_server(settings, activation, form, again=False),
    )
    _serve(app, host, port)


def _serve(app: Any, host: str, port: int) -> None:
    from portal.serving import server as make

    server = make(app, host, port)

    def stop(*_: object) -> None:
        # It has handlers of its own, and hands the signal on when it has ended: that is no error.
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.run()
    # A thread may wait for a catalogue that has frozen, for ever; nothing is left to be done.
    sys.stdout.flush()
    os._exit(0)
