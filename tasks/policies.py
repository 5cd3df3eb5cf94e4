"""How every task behaves when something goes wrong, and when its result may be used again."""

from typing import Any

from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff
from prefect.utilities.hashing import hash_objects

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
RETRY_TRANSIENT: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": can_help,
}


def versioned(version: int) -> CacheKeyFnPolicy:
    """Cache a task's result by its name, the version of its algorithm, and its inputs.

    Prefect's own policies do not fit thin tasks over a library: inputs alone collide between
    tasks, and a task's source does not change when the library's does.

    Parameters
    ----------
    version
        Raise it whenever the result for the same inputs changes.
    """

    def key(context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
        digest = hash_objects(parameters)
        # Inputs that cannot be hashed cannot be recognised either: no caching.
        return None if digest is None else f"{context.task.name}-v{version}-{digest}"

    return CacheKeyFnPolicy(cache_key_fn=key)
