"""`geobs mirror`: the rolling archive kept, looked at, verified."""

import sys
from typing import Annotated, Any

import typer

from console.mirror_tables import (
    print_days,
    print_going,
    print_missing,
    print_plan,
    print_status,
    size_of,
)
from console.output import print_json, print_table

mirror_app = typer.Typer(
    help="The rolling archive: a window of days over an area, on a disk.", no_args_is_help=True
)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Name = Annotated[str, typer.Argument(help="Name of a product.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(mirror_app, name="mirror")


@mirror_app.command()
def sync(
    stream: Annotated[str | None, typer.Argument(help="One stream; all if not given.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Look at all of the window, not at what is new alone.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Look at the upstreams, let go what is over, bring what is missing.

    What the flow `mirror` does on its schedule; several may run at once. Ends with status 3 where
    an upstream failed or products could not be had, and 4 where the disk is full.

    Example: geobs mirror sync slc
    """
    from console.mirror_progress import shown
    from geobservatory.mirror.bring import Outcome
    from geobservatory.mirror.sync import Synchroniser

    with _archive() as archive, shown(quiet=as_json) as listeners:
        run = Synchroniser(archive, listeners=listeners).run(stream, full=full)
    if as_json:
        print_json(
            {
                "looked": [vars(one) for one in run.looked],
                "brought": [vars(one) for one in run.brought],
                "gone": [_went(one) for one in run.gone],
                "settled": run.settled,
                "stopped": run.stopped,
            }
        )
    else:
        came, failed = run.came(), [one for one in run.brought if one.outcome is Outcome.FAILED]
        print(
            f"{len(came)} products came ({size_of(sum(one.size for one in came))}),"
            f" {len(failed)} could not be had, {len(run.gone)} went"
        )
    if run.stopped:
        print(f"geobs: {run.stopped}", file=sys.stderr)
    if any(one.outcome is Outcome.DISK_FULL for one in run.brought):
        raise typer.Exit(4)
    bad = any(one.failure for one in run.looked)
    if bad or any(one.outcome is Outcome.FAILED for one in run.brought):
        raise typer.Exit(3)


@mirror_app.command()
def status(
    days: Annotated[
        float | None, typer.Option("--days", min=1, help="Completeness of so many days, by day.")
    ] = None,
    missing: Annotated[
        int | None, typer.Option("--missing", min=1, help="List so many missing products, and why.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show what is held and missing, the window, the disk and when it is full, pace and latency.

    Example: geobs mirror status --days 14 --missing 20
    """
    from datetime import timedelta

    from geobservatory.mirror.plan import limits
    from geobservatory.mirror.report import completeness
    from geobservatory.mirror.report import status as find_status

    with _archive() as archive:
        found = find_status(archive)
        by_day = {one.name: completeness(archive, one, days) for one in archive.streams if days}
        lacks = {
            one.name: archive.catalog.missing(
                limits(archive, one), archive.now() - timedelta(days=days or 36_500), missing
            )
            for one in archive.streams
            if missing
        }
    if as_json:
        told = {
            **vars(found),
            "streams": [
                {**vars(one), "looks": [vars(look) for look in one.looks]} for one in found.streams
            ],
            "changes": [vars(one) for one in found.changes],
            "days": {name: [vars(one) for one in ones] for name, ones in by_day.items()},
            "missing": {
                name: [{"name": one, "why": why, "reason": said} for one, why, said in ones]
                for name, ones in lacks.items()
            },
        }
        print_json(told)
        return
    print_status(found)
    for name, ones in by_day.items():
        print_days(name, ones)
    for name, listed in lacks.items():
        print_missing(name, listed)


@mirror_app.command()
def plan(as_json: _Json = False) -> None:
    """Show what the next run would do, and why; nothing is asked or changed.

    Example: geobs mirror plan
    """
    from geobservatory.mirror.plan import plan as make_plan
    from geobservatory.mirror.plan import why

    with _archive() as archive:
        found = make_plan(archive)
    if not as_json:
        print_plan(found)
        return
    streams = [
        {
            "stream": one.stream,
            "looks": one.looks,
            "totals": one.turns.totals,
            "fetch": [{**vars(turn), "why": why(turn)} for turn in one.turns.fetch],
            "later": [vars(turn) for turn in one.turns.later],
            "goes": [_went(going) for going in one.goes],
        }
        for one in found.streams
    ]
    print_json({"streams": streams, "over": [_went(one) for one in found.over]})


@mirror_app.command()
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the inventory right, remove what is left over.")
    ] = False,
    read: Annotated[
        bool, typer.Option("--read", help="Read all and compare checksums, slowly (scrub).")
    ] = False,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, help="With --read: begin nothing after so many.")
    ] = 1e9,
    as_json: _Json = False,
) -> None:
    """Find entries without files, files without entries, what is left over, what is damaged.

    What is damaged is put into quarantine with --repair, and the next `sync` fetches it again. Ends
    with status 3 where something is wrong and nothing was done about it.

    Example: geobs mirror verify --repair --read --minutes 60
    """
    from console.mirror_progress import scrubbing
    from geobservatory.mirror.scrub import scrub
    from geobservatory.mirror.verify import verify as hold_against

    with _archive(needed=False) as archive:
        findings = hold_against(archive, repair=repair)
        if read:
            with scrubbing(quiet=as_json) as told:
                done = scrub(archive, limit_s=60 * minutes, repair=repair, told=told)
            findings += done.findings
            if not as_json:
                print(f"{done.products} products read, {size_of(done.bytes)}", file=sys.stderr)
    if as_json:
        print_json([vars(one) for one in findings])
    elif findings:
        rows = [(one.name, one.what, one.done or "nothing was done") for one in findings]
        print_table("", ("product", "what is wrong", "done"), rows)
    else:
        print("all is as the inventory says")
    if any(not one.done for one in findings):
        raise typer.Exit(3)


@mirror_app.command()
def pin(
    name: Annotated[
        str | None, typer.Argument(help="Name of a product; lists all if none.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is kept.")] = "",
    days: Annotated[
        float | None, typer.Option("--days", min=0, help="For so long; for good if not given.")
    ] = None,
    holder: Annotated[
        str | None, typer.Option("--as", help="Who wants it kept; you if not given.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Keep a product that lies in the archive, or list what is kept.

    Example: geobs mirror pin S1A_IW_SLC__1SDV_… --reason "paper on Samos" --days 365
    """
    import getpass
    from datetime import timedelta

    with _archive(needed=False) as archive:
        now = archive.now()
        if name is not None:
            until = None if days is None else now + timedelta(days=days)
            who = holder or getpass.getuser()
            archive.catalog.pin(_plain(name), who, reason, now, until)
        found = archive.catalog.pins(now, None if name is None else _plain(name))
    if as_json:
        print_json([vars(one) for one in found])
        return
    rows = [(one.name, one.holder, one.reason, one.until or "for good") for one in found]
    print_table("", ("product", "who", "why", "until"), rows)


@mirror_app.command()
def unpin(
    name: _Name,
    holder: Annotated[
        str | None, typer.Option("--as", help="Whose pin; yours if not given.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Let a product go when its time comes. Ends with status 1 where it was not pinned.

    Example: geobs mirror unpin S1A_IW_SLC__1SDV_…
    """
    import getpass

    who = holder or getpass.getuser()
    with _archive(needed=False) as archive:
        gone = archive.catalog.unpin(_plain(name), who)
        left = archive.catalog.pins(archive.now(), _plain(name))
    if as_json:
        print_json({"unpinned": gone, "left": [vars(one) for one in left]})
    elif gone:
        others = ", ".join(one.holder for one in left)
        print(f"unpinned{f'; still pinned by {others}' if others else ''}")
    if not gone:
        print(f"geobs: {name} is not pinned by {who}", file=sys.stderr)
        raise typer.Exit(1)


@mirror_app.command()
def evict(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and why.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Let go what is over, replaced or withdrawn; `sync` does so itself, and for room besides.

    With --dry-run also what would go to make room for what the next run fetches.

    Example: geobs mirror evict --dry-run
    """
    from geobservatory.mirror.plan import plan as make_plan
    from geobservatory.mirror.roll import roll

    with _archive() as archive:
        if dry_run:
            found = make_plan(archive)
            going = [*found.over, *(one for stream in found.streams for one in stream.goes)]
        else:
            going = roll(archive)
    if as_json:
        print_json([_went(one) for one in going])
    else:
        print_going("would go" if dry_run else "went", going)


def _archive(*, needed: bool = True) -> Any:
    """Open the archive of the settings, and its catalogue for as long as the block lasts."""
    from contextlib import contextmanager

    from geobservatory.catalog.database import open_configured_catalog
    from geobservatory.errors import ConfigurationError
    from geobservatory.mirror.archive import Archive
    from geobservatory.settings import load_settings

    @contextmanager
    def opened() -> Any:
        settings = load_settings()
        if needed and not settings.mirror.streams:
            raise ConfigurationError(
                "no stream is configured: add [[mirror.streams]] to geobs.toml (docs/mirror.md)"
            )
        with open_configured_catalog(settings) as catalog:
            yield Archive(settings, catalog)

    return opened()


def _plain(name: str) -> str:
    from geobservatory.sentinel1.names import parse_name

    return str(parse_name(name))


def _went(going: Any) -> dict[str, Any]:
    entry = going.entry
    return {
        "name": entry.name,
        "stream": entry.stream,
        "sensed_at": entry.sensed_at,
        "size": entry.size,
        "why": going.why,
        "annotation_stays": going.reduced,
    }
