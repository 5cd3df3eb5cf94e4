"""The task that hears of earthquakes."""

from prefect import get_run_logger, task

from blocks.settings import settings_with_blocks
from geobservatory.catalog.database import open_configured_catalog
from geobservatory.errors import TransientError
from geobservatory.events.watcher import Watcher
from tasks.policies import RETRY_TRANSIENT


@task(**RETRY_TRANSIENT, timeout_seconds=900)
def hear_what_was_missed() -> None:
    """Read what agencies said since they were last asked; decide and record.

    Nobody is asked unless `feeds.watch` is set.
    """
    log, settings = get_run_logger(), settings_with_blocks()
    if not settings.feeds.watch:
        log.info("feeds.watch is not set: nobody is asked")
        return
    watcher = Watcher(
        settings,
        lambda: open_configured_catalog(settings),
        lambda heard: log.info("%s: %s: %s", heard.event_id, heard.action, heard.reason),
    )
    problems = watcher.once()
    if problems:
        raise TransientError("; ".join(problems))
