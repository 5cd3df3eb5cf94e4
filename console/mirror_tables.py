"""What `geobs mirror` prints for people."""

from collections.abc import Sequence
from typing import Any

from console.output import print_table

_SHOWN = 20


def print_status(found: Any) -> None:
    """Print how the mirror does."""
    share = f"{found.used / found.disk:.0%}" if found.disk else "–"
    print(
        f"{size_of(found.used)} of {size_of(found.disk)} used ({share}),"
        f" {size_of(found.other)} of no stream; the file system has {size_of(found.free)} left"
    )
    rows = [
        (
            one.stream,
            f"{one.window:%Y-%m-%d}",
            one.held,
            ", ".join(f"{count} {turn}" for turn, count in one.missing.items()) or "nothing",
            f"{one.completeness:.1%}",
            f"{size_of(one.used)} of {size_of(one.high)}",
            f"+{size_of(one.in_a_day)} −{size_of(one.out_a_day)}",
            _full(one),
            " / ".join(_span(seconds) for seconds in one.latency) if one.latency else "–",
        )
        for one in found.streams
    ]
    what = ("stream", "since", "held", "missing", "complete", "disk", "a day", "full")
    print_table("", (*what, "late (50/90/95 %)"), rows)
    looks = [
        (
            one.stream,
            look.hub,
            f"{look.looked_at:%m-%d %H:%M}",
            "" if look.full_at is None else f"{look.full_at:%m-%d %H:%M}",
            look.found,
            look.failure or "well",
        )
        for one in found.streams
        for look in one.looks
    ]
    print_table("", ("stream", "upstream", "looked", "at all", "products", "how it went"), looks)
    if found.changes:
        changes = [(f"{c.at:%m-%d %H:%M}", c.name, c.what, c.detail) for c in found.changes]
        print_table("", ("when (UTC)", "product", "what", ""), changes)


def print_days(stream: str, days: Sequence[Any]) -> None:
    """Print the completeness of a stream by day of sensing."""
    rows = [
        (
            f"{one.day:%Y-%m-%d}",
            one.expected,
            one.held,
            ", ".join(f"{count} {why}" for why, (count, _) in one.missing.items()),
            " / ".join(_span(seconds) for seconds in one.latency) if one.latency else "–",
        )
        for one in days
    ]
    columns = ("sensed", "expected", "held", "missing", "late (50/90/95 %)")
    print_table(stream, columns, rows)


def print_missing(stream: str, listed: Sequence[tuple[str, str, str]]) -> None:
    """Print what is missing, and why."""
    print_table(f"{stream}: missing", ("product", "why", ""), listed)


def print_plan(found: Any) -> None:
    """Print what the next run would do."""
    from geobservatory.mirror.plan import why

    print_going("would go", found.over)
    for one in found.streams:
        totals = ", ".join(
            f"{count} {turn} ({size_of(size)})" for turn, (count, size) in one.turns.totals.items()
        )
        print(f"{one.stream}: {totals or 'nothing is known yet'}")
        print_table("", ("upstream", "is asked for"), list(one.looks.items()))
        fetch = [(turn.name, size_of(turn.size), why(turn)) for turn in one.turns.fetch[:_SHOWN]]
        if fetch:
            print_table("would be fetched, first", ("product", "size", "why"), fetch)
        later = [(turn.name, turn.attempts, turn.reason) for turn in one.turns.later[:_SHOWN]]
        if later:
            print_table("is tried again later", ("product", "failures", "the last"), later)
        if one.goes:
            print_going("would go for room", one.goes)


def print_going(what: str, going: Sequence[Any]) -> None:
    """Print what goes, and why."""
    rows = [
        (
            one.entry.name,
            size_of(one.entry.size),
            one.why + ("; its annotation stays" if one.reduced else ""),
        )
        for one in going[:_SHOWN]
    ]
    if not rows:
        print(f"nothing {what}")
        return
    size = size_of(sum(one.entry.size for one in going))
    print_table(f"{len(going)} {what}, {size}", ("product", "size", "why"), rows)


def size_of(count: float) -> str:
    """Write bytes for people."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _span(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"


def _full(one: Any) -> str:
    if one.used > one.low:
        return "between the marks: the oldest goes"
    return "never at this pace" if one.full_at is None else f"{one.full_at:%Y-%m-%d}"
