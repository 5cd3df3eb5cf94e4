"""`geobs audit`: who did what at the portal, and from where."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from console.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(audit)


def audit(
    who: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    action: Annotated[str | None, typer.Option(help="As login, token, activation.")] = None,
    days: Annotated[float, typer.Option(min=0, help="How far back.")] = 30,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    forget_days: Annotated[
        int | None, typer.Option("--forget-older", min=1, help="Forget what is older, in days.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print who did what, when, from where and with what outcome; the newest first.

    Example: geobs audit --action login --days 7
    """
    from console.recording import recorded
    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.settings import load_settings

    now = datetime.now(UTC)
    if forget_days is not None:
        with recorded("audit.forget", f"older than {forget_days} days") as catalog:
            count = catalog.forget_audit(now - timedelta(days=forget_days))
        print(f"{count} forgotten")
        return
    since = now - timedelta(days=min(days, 36_500))
    with open_configured_catalog(load_settings()) as catalog:
        found = catalog.audit(who=who, action=action, since=since, limit=limit)
    if as_json:
        print_json([vars(one) for one in found])
        return
    print_table(
        "",
        ("at (UTC)", "who", "from", "action", "of", "outcome"),
        [
            (f"{one.at:%F %T}", one.who, one.address, one.action, one.object, one.outcome)
            for one in found
        ],
    )
