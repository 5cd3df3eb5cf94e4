"""`geobs probe`: ask the hubs now, and see how they do."""

import threading
from typing import Annotated, Any

import typer

from console.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(probe)


def probe(
    hub: Annotated[str | None, typer.Argument(help="Name of a hub; all if not given.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Only this, as `search` or `transfer`; may be repeated."),
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Only what is due by the settings (`probing`).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Probe the hubs now, all at once, with a table that fills as they answer.

    Search, a product's metadata, a sample of a download, a file against its checksum, the token
    service, the certificate, the oldest product, and what the hub lacks of what all have. All of it
    is recorded; the choice of hub goes by it. Ends with status 3 where anything failed.

    Example: geobs probe asf --kind search --kind transfer
    """
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.catalog.measurements import Kind
    from geobservatory.errors import ConfigurationError, GeobservatoryError, InputError
    from geobservatory.notify.deliver import queue_incident
    from geobservatory.probing.check import check
    from geobservatory.probing.clock import RealClock
    from geobservatory.probing.prober import Prober
    from geobservatory.settings import load_settings

    settings = load_settings()
    names = [one.name for one in settings.hubs] if hub is None else [hub]
    if not names:
        raise ConfigurationError("no hub is configured: add [[hubs]] to geobs.toml (docs/hubs.md)")
    try:
        wanted = [Kind(one) for one in kind] if kind else list(Kind)
    except ValueError:
        raise InputError(f"--kind is one of {', '.join(Kind)}") from None
    made: list[Any] = []
    problems: list[str] = []
    turns: list[Any] = []
    # Of a newer version or not to be reached: said once, before anybody is asked.
    with open_configured_catalog(settings):
        pass
    with _Table(as_json) as table:

        def told(measured: Any) -> None:
            made.append(measured)
            table.add(_row(measured))

        def run(name: str) -> None:
            kinds = None if due else wanted
            try:
                with open_configured_catalog(settings) as catalog:
                    prober = Prober(settings, catalog)
                    checked = check(settings, catalog, prober, name, RealClock(), kinds, told)
                    for turn in checked.turns:
                        queue_incident(settings, catalog, turn)
            except GeobservatoryError as error:
                problems.append(f"{name}: {error}")
                return
            if checked.measured is None:
                problems.append(f"{name}: somebody else is probing it")
            turns.extend(checked.turns)

        threads = [threading.Thread(target=run, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if as_json:
        print_json({"measured": [vars(one) for one in made], "problems": problems})
    for turn in turns:
        what = "trouble" if turn.began else "well again"
        typer.echo(f"{turn.incident.hub}: {what}: {turn.incident.cause}", err=True)
    for problem in problems:
        typer.echo(f"geobs: {problem}", err=True)
    if problems or not all(one.ok for one in made):
        raise typer.Exit(3)


_COLUMNS = ("hub", "kind", "type", "result", "")


class _Table:
    """A table that fills on a terminal; elsewhere it is printed at the end."""

    def __init__(self, silent: bool) -> None:
        from rich.console import Console

        console = Console()
        self._rows: list[tuple[str, ...]] = []
        self._silent, self._lock = silent, threading.Lock()
        self._live: Any = None
        if not silent and console.is_terminal:
            from rich.live import Live

            self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> "_Table":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        elif not self._silent:
            print_table("", _COLUMNS, sorted(self._rows))

    def add(self, row: tuple[str, ...]) -> None:
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            self._rows.append(row)
            if self._live is None:
                return
            table = Table(*_COLUMNS)
            for one in sorted(self._rows):
                # As text: what hubs say may hold brackets.
                table.add_row(*(Text(cell) for cell in one))
            self._live.update(table, refresh=True)


def _row(one: Any) -> tuple[str, ...]:
    said = str(one.detail.get("failure", "")) or ", ".join(
        f"{key} {value}" for key, value in one.detail.items() if key in ("found", "member", "of")
    )
    result = _value(one) if one.ok else one.cause
    return one.hub, one.kind.value, one.product_type or "", result, said


def _value(one: Any) -> str:
    from geobservatory.catalog.measurements import Kind

    match one.kind:
        case Kind.TRANSFER:
            return f"{one.value / 1e6:.3g} MB/s"
        case Kind.INTEGRITY:
            return f"{one.value:.0f} bytes right"
        case Kind.CERTIFICATE | Kind.WINDOW:
            return f"{one.value / 86_400:.0f} days"
        case Kind.COMPLETENESS:
            return f"{one.value:.1%}"
        case Kind.ONLINE:
            return "online" if one.value else "offline"
        case _:
            return f"{one.value:.2f} s"
