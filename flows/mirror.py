"""Keep the rolling archive: bring what is new, let go what is over, read what lies there."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import wait
from prefect.states import Completed

from tasks.mirror import report_mirror, scrub_archive, stream_names, synchronise, verify_archive


@flow(name="mirror-products", log_prints=True, retries=0)
def mirror_products() -> State:
    """Bring every stream of the mirror up to date, all at once; as `geobs mirror sync` does.

    A run that was killed leaves nothing that the next does not bring to its end.
    """
    streams = [synchronise.submit(name) for name in stream_names()]
    if not streams:
        return Completed(name="NoStream", message="no stream is configured (mirror.streams)")
    wait(streams)
    report_mirror()
    # What could not be done for a fault of ours is seen in the list of runs.
    came = sum(one.result() for one in streams)
    return Completed(message=f"{came} products came")


@flow(name="verify-mirror", log_prints=True, retries=0)
def verify_mirror() -> State:
    """Hold the inventory against the disk, and read for some hours what was read longest ago."""
    found = verify_archive() + scrub_archive()
    return Completed(message=f"{found} findings")
