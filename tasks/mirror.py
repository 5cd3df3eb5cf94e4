"""Tasks that keep the rolling archive, and show how it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.bring import Brought, Outcome
from geobservatory.mirror.priority import needed
from geobservatory.mirror.report import completeness, status
from geobservatory.mirror.scrub import scrub
from geobservatory.mirror.sync import Listeners, Synchroniser
from geobservatory.mirror.verify import Finding, verify
from tasks.policies import RETRY_TRANSIENT
from tasks.progress import shown_progress

# An automation listens for it: activations that wait are looked at again at once.
_PUBLISHED = "geobservatory.product.published"
# What lies there is read again after so long, and for so long a night.
_READ_AGAIN, _READING_S = timedelta(days=30), 4 * 3600.0
_DAYS = 14.0


@task(**RETRY_TRANSIENT)
def stream_names() -> list[str]:
    """List the streams of the mirror."""
    return [one.name for one in settings_with_blocks().mirror.streams]


@task(**RETRY_TRANSIENT, task_run_name="mirror {name}")
def synchronise(name: str) -> int:
    """Bring a stream up to date; gives how many products came.

    Somebody who waits is told at once of what an open activation needs, and of all else that is new
    once, at the end.
    """
    log = get_run_logger()
    with _archive() as archive, shown_progress(f"mirror-{name}") as progress:
        waited_for, planned, done = needed(archive), [0], [0]
        lock = Lock()

        def plan(stream: str, products: int, size: int) -> None:
            planned[0] = max(planned[0], done[0] + products)
            log.info("%s: %d products to fetch, %.1f GB", stream, products, size / 1e9)

        def brought(one: Brought) -> None:
            with lock:
                done[0] += 1
                share = done[0] / max(planned[0], done[0])
            if one.outcome in (Outcome.FAILED, Outcome.DISK_FULL):
                log.warning("%s: %s: %s", one.name, one.outcome, one.said)
            progress(f"{done[0]} of {planned[0]} products", share)
            if one.outcome is Outcome.CAME and one.name in waited_for:
                _emit(one.name, {"activation": waited_for[one.name]})

        listeners = Listeners(planned=plan, brought=brought)
        run = Synchroniser(archive, listeners=listeners).run(name)
        progress("done", 1.0)
    for look in run.looked:
        log.info("%s: %d products, %d new %s", look.hub, look.found, len(look.new), look.failure)
    for line in run.settled:
        log.info("left by a run that was killed: %s", line)
    if run.stopped:
        log.warning("stopped: %s", run.stopped)
    came = run.came()
    if came:
        _emit(name, {"products": len(came)})
    log.info("%s: %d came, %d went", name, len(came), len(run.gone))
    return len(came)


@task(**RETRY_TRANSIENT)
def report_mirror() -> None:
    """Leave how the mirror does: streams, upstreams, days, what could not be had."""
    with _archive() as archive:
        found = status(archive)
        days = {one.name: completeness(archive, one, _DAYS) for one in archive.streams}
    create_table_artifact(
        [
            {
                "stream": one.stream,
                "held": one.held,
                "missing": ", ".join(f"{count} {turn}" for turn, count in one.missing.items()),
                "complete": f"{one.completeness:.1%}",
                "disk": f"{one.used / 1e9:.1f} of {one.high / 1e9:.1f} GB",
                "a day": f"+{one.in_a_day / 1e9:.1f} −{one.out_a_day / 1e9:.1f} GB",
                "full": f"{one.full_at:%F}" if one.full_at else "",
                "late, median": f"{one.latency[0] / 3600:.1f} h" if one.latency else "",
            }
            for one in found.streams
        ],
        key="mirror",
        description=f"The mirror, {found.at:%F %H:%M} UTC: {found.used / 1e9:.1f} of"
        f" {found.disk / 1e9:.1f} GB",
    )
    create_table_artifact(
        [
            {
                "stream": one.stream,
                "upstream": look.hub,
                "looked": f"{look.looked_at:%F %H:%M}",
                "products": look.found,
                "how it went": look.failure or "well",
            }
            for one in found.streams
            for look in one.looks
        ],
        key="mirror-upstreams",
        description="How far each upstream was followed",
    )
    create_table_artifact(
        [
            {
                "stream": name,
                "sensed": f"{one.day:%F}",
                "expected": one.expected,
                "held": one.held,
                "missing": "; ".join(
                    f"{count} {why}{f' ({said})' if said else ''}"
                    for why, (count, said) in one.missing.items()
                ),
                "late, 95 %": f"{one.latency[2] / 3600:.1f} h" if one.latency else "",
            }
            for name, ones in days.items()
            for one in ones
        ],
        key="mirror-days",
        description=f"What upstreams have and the mirror holds, the last {_DAYS:.0f} days",
    )


@task(**RETRY_TRANSIENT)
def verify_archive() -> int:
    """Hold the inventory against the disk and put it right; gives how many findings there were."""
    with _archive() as archive:
        findings = verify(archive, repair=True)
    _report("mirror-inventory", findings, "Where the inventory was not right")
    return len(findings)


@task(**RETRY_TRANSIENT, timeout_seconds=2 * _READING_S)
def scrub_archive() -> int:
    """Read what was read longest ago; gives how much of it was damaged."""
    with _archive() as archive:
        done = scrub(archive, older_than=_READ_AGAIN, limit_s=_READING_S)
    log = get_run_logger()
    log.info("%d products read, %.1f GB", done.products, done.bytes / 1e9)
    _report("mirror-damage", list(done.findings), "What was damaged")
    return len(done.findings)


@contextmanager
def _archive() -> Iterator[Archive]:
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        yield Archive(settings, catalog)


def _emit(what: str, payload: dict[str, object]) -> None:
    emit_event(
        _PUBLISHED, {"prefect.resource.id": f"geobservatory.product.{what}"}, payload=payload
    )


def _report(key: str, findings: list[Finding], about: str) -> None:
    log = get_run_logger()
    for one in findings:
        log.warning("%s: %s: %s", one.name, one.what, one.done or "nothing was done")
    create_table_artifact(
        [{"product": one.name, "what": one.what, "done": one.done} for one in findings],
        key=key,
        description=about,
    )
