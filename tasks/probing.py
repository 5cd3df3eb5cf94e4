"""Tasks that probe hubs, tell of their incidents, and show how they do."""

import math
from datetime import timedelta

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.catalog.subscriptions import LINKS_LAST
from geobservatory.engines.publish import products_folder
from geobservatory.notify.deliver import deliver, queue_incident
from geobservatory.probing.check import check
from geobservatory.probing.clock import RealClock
from geobservatory.probing.page import write_page
from geobservatory.probing.prober import Prober
from geobservatory.probing.report import HubReport, status_report
from geobservatory.probing.statistics import Share
from tasks.policies import RETRY_TRANSIENT

_EVENT = "geobservatory.hub.incident"
_DAYS = 30.0
_DAYS_LISTED = 7


@task(**RETRY_TRANSIENT)
def hub_names() -> list[str]:
    """List the hubs to probe."""
    return [hub.name for hub in settings_with_blocks().hubs]


@task(**RETRY_TRANSIENT, task_run_name="probe {name}")
def probe_hub(name: str) -> None:
    """Ask a hub what is due; open and end its incidents, and queue what people are told."""
    log, settings, clock = get_run_logger(), settings_with_blocks(), RealClock()
    with open_configured_catalog(settings) as catalog:
        checked = check(settings, catalog, Prober(settings, catalog), name, clock)
        for turn in checked.turns:
            queue_incident(settings, catalog, turn)
    if checked.measured is None:
        log.info("%s: somebody else is probing it", name)
        return
    failed = [one for one in checked.measured if not one.ok]
    log.info("%s: %d questions, %d failed", name, len(checked.measured), len(failed))
    for one in failed:
        log.warning("%s: %s: %s %s", name, one.kind, one.cause, one.detail.get("failure", ""))
    for turn in checked.turns:
        what = "began" if turn.began else "ended"
        log.warning("%s: trouble %s: %s", name, what, turn.incident.cause)
        resource = {
            "prefect.resource.id": f"geobservatory.hub.{name}",
            "aspect": turn.incident.aspect,
        }
        emit_event(f"{_EVENT}.{what}", resource, payload={"cause": turn.incident.cause})


@task(**RETRY_TRANSIENT)
def settle_measurements() -> None:
    """Forget what is older than it is kept, and send what waits to be sent."""
    settings, now = settings_with_blocks(), RealClock().now()
    with open_configured_catalog(settings) as catalog:
        gone = catalog.prune_measurements(now - timedelta(days=settings.probing.keep_days))
        forgotten = catalog.forget_deliveries(now - timedelta(days=settings.programs.keep_days))
        catalog.forget_links(now - LINKS_LAST)
        done = deliver(settings, catalog)
    get_run_logger().info(
        "%d old measurements deleted, %d deliveries summed up, %d notices sent",
        gone, forgotten, done.sent,
    )  # fmt: skip


@task(**RETRY_TRANSIENT)
def report_hubs() -> None:
    """Write the status page, and leave how the hubs do."""
    settings = settings_with_blocks()
    with open_configured_catalog(settings) as catalog:
        report = status_report(settings, catalog, RealClock().now(), _DAYS)
    write_page(report, products_folder(settings.data_dir) / "hubs")
    create_table_artifact(
        [_row(one) for one in report.hubs],
        key="hubs",
        description=f"The hubs, {report.since:%F} to {report.at:%F %H:%M} UTC",
    )
    create_table_artifact(
        [
            {
                "hub": one.hub.name,
                "day": f"{day.day}",
                "type": kind,
                "published": count,
            }
            for one in report.hubs
            for day in one.days[-_DAYS_LISTED:]
            for kind, count in day.published.items()
        ],
        key="hubs-published",
        description=f"Products published in the last {_DAYS_LISTED} days",
    )


def _row(one: HubReport) -> dict[str, str | int]:
    return {
        "hub": one.hub.name,
        "state": one.state,
        "why": one.why,
        "answers": _share(one.answers),
        "search": _number(one.search.quantile(0.5), 1, "s", 2),
        "first byte": _number(one.first_byte.quantile(0.5), 1, "s", 2),
        "download": _number(one.speed.quantile(0.5), 1e6, "MB/s", 1),
        "delay": _number(one.latency.quantile(0.5), 3600, "h", 1),
        "published": sum(of.published for of in one.types.values()),
        "first": one.first,
        "complete": "" if one.completeness is None else f"{one.completeness:.0%}",
        "online": _share(one.online),
        "as checksums say": _share(one.integrity),
        "tokens": _share(one.token),
    }


def _share(share: Share) -> str:
    return f"{share.value:.2%}" if share.asked else ""


def _number(value: float, unit: float, name: str, digits: int) -> str:
    return "" if math.isnan(value) else f"{value / unit:.{digits}f} {name}"
