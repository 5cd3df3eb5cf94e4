"""Probe the hubs: how each is doing, hour by hour."""

from prefect import flow
from prefect.futures import wait

from tasks.probing import hub_names, probe_hub, report_hubs, settle_measurements


@flow(name="probe-hubs", log_prints=True, retries=0)
def probe_hubs() -> None:
    """Ask every hub what is due, all at once, and judge them.

    How often each is asked what stands in the settings (`probing`); a run asks what is due by then.
    """
    probed = [probe_hub.submit(name) for name in hub_names()]
    wait(probed)
    settle_measurements()
    report_hubs()
    # What could not be probed for a fault of ours is seen in the list of runs.
    for one in probed:
        one.result()
