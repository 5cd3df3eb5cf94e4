"""Hear of earthquakes that the watcher has missed: a second line, and the first on a cluster."""

from prefect import flow

from tasks.revisits import find_abandoned
from tasks.runs import has_live_run, start_response
from tasks.watching import hear_what_was_missed


@flow(name="watch-earthquakes")
def watch_earthquakes() -> list[str]:
    """Ask EMSC and USGS for what was not heard of yet; start the flows of what activates.

    `geobs watch` hears within a second of a message; this asks every quarter of an hour, whether
    that runs or not. Nothing is recorded or started twice.
    """
    hear_what_was_missed()
    due = [one for one in find_abandoned() if not has_live_run(one)]
    for activation in due:
        start_response(activation)
    return [one.id for one in due]
