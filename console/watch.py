"""`geobs watch`: follow the agencies, and start what their earthquakes call for."""

import queue
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from console.output import print_json_line

_NOTHING = ("none", "keep")


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(watch)


def watch(
    once: Annotated[
        bool, typer.Option("--once", help="Hear what was missed, then end; 1 if a feed is silent.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"],
            help="Begin with what was revised since then (UTC); else with what was not seen yet.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Follow EMSC and USGS: record every earthquake, decide, start activations; until Ctrl-C.

    Several may run: nothing is recorded or started twice. `geobs events --heard` shows the same.

    Example: geobs watch --since 2023-09-08
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.events.watcher import Watcher
    from geobservatory.settings import load_settings

    settings = load_settings()
    # Refused here where it is wrong; later on it is waited for.
    with open_configured_catalog(settings):
        pass
    starter = _Starter(settings)

    def told(heard: Any) -> None:
        _print(heard, as_json)
        if heard.starts:
            starter.ask(heard.activation)

    watcher = Watcher(settings, lambda: open_configured_catalog(settings), told)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: watcher.stop())
    begin = None if since is None else since.replace(tzinfo=UTC)
    with starter:
        problems = watcher.once(begin) if once else ()
        if not once:
            watcher.run(begin)
    for problem in problems:
        print(f"geobs: {problem}", file=sys.stderr)
    if problems:
        raise typer.Exit(1)


class _Starter:
    """Starts flows one after the other, beside the hearing, which must not wait for a server."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._asked: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Starter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.put(None)
        self._thread.join()

    def ask(self, activation: Any) -> None:
        """Have the flow of an activation started soon."""
        self._asked.put(activation)

    def _run(self) -> None:
        from console.respond import start_on_server
        from geobservatory.errors import GeobservatoryError
        from geobservatory.events.form import ActivationForm

        while (activation := self._asked.get()) is not None:
            form = ActivationForm.from_request(activation.request)
            try:
                done = start_on_server(self._settings, activation, form)
            except GeobservatoryError as error:
                # It is recorded as requested: revisit-activations takes it up.
                done = str(error)
            print(f"{activation.id}: {done}", file=sys.stderr, flush=True)


def _print(heard: Any, as_json: bool) -> None:
    event = heard.event
    activation = heard.activation
    if as_json:
        print_json_line(
            {
                "id": heard.event_id,
                "source": heard.source,
                "time": event.time,
                "latitude": event.latitude,
                "longitude": event.longitude,
                "magnitude": event.magnitude,
                "depth_km": event.depth_km,
                "name": event.name,
                "activate": heard.activate,
                "reason": heard.reason,
                "action": heard.action,
                "activation": None if activation is None else activation.id,
            }
        )
        return
    size = "M ?" if event.magnitude is None else f"M {event.magnitude:.1f}"
    deep = "depth ?" if event.depth_km is None else f"{event.depth_km:.0f} km deep"
    did = "" if heard.action in _NOTHING else f" {heard.action.upper()} {activation.id}"
    verdict = "yes" if heard.activate else "no"
    print(
        f"{event.time:%F %T} {size}, {deep}, {event.latitude:.2f} {event.longitude:.2f}"
        f" {event.name} ({heard.source}): {verdict}: {heard.reason}{did}",
        flush=True,
    )
