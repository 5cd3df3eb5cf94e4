"""How every task behaves when something goes wrong, and why none has its result cached."""

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from geobservatory.errors import TransientError


async def can_help(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Say whether trying again can help: only where the library says the fault may pass."""
    try:
        await state.aresult()
    except TransientError:
        return True
    except Exception:  # noqa: BLE001  every other error is permanent, whatever it is
        return False
    return False


# For `@task(**RETRY_TRANSIENT)`: about 2, 4, 8 and 16 s apart, with jitter so that tasks which
# failed together do not come back together.
#
# Prefect's cache is left out. Its default would not run a task twice in one flow run, though the
# world has changed between; and what a task has made may be gone although its result is cached.
# What need not be done again, the library knows: products and parts of them are found on the disk
# and verified, and an interferogram is keyed in the catalogue by the digest of all that it is made
# of (`engines.order.digest`), its files held against their checksums.
RETRY_TRANSIENT: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_help,
}
