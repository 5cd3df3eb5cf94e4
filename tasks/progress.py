"""How far long work is, where the operator looks: a bar in the Prefect UI, lines in the log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

# Each step is a request to Prefect's server.
_STEP = 0.05


@contextmanager
def shown_progress(key: str) -> Iterator[Callable[[str, float], None]]:
    """Show how far work is, under a key of lower-case letters, digits and dashes."""
    log = get_run_logger()
    bar = create_progress_artifact(progress=0.0, key=key.lower(), description="beginning")
    doing, shown = "", 0.0

    def told(now_doing: str, share: float) -> None:
        nonlocal doing, shown
        if now_doing != doing:
            log.info("%3.0f %% %s", 100 * share, now_doing)
            doing = now_doing
        if share - shown >= _STEP or share >= 1.0:
            update_progress_artifact(bar, progress=round(100 * share, 1), description=doing)
            shown = share

    yield told
