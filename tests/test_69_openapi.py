"""The interface for programs against its own description, by schemathesis: whatever is asked."""

import subprocess
import sys

import pytest
import requests
from test_69_api import OPERATOR, World, world

__all__ = ["world"]
_RUN = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]


def judge(world: World, *arguments: str) -> str:
    """Let schemathesis ask; all its checks but one, for which a description cannot say enough.

    What looks like a time or a cursor and is none (the 31st of June) is refused, though it is as
    the description has it.
    """
    done = subprocess.run(
        [
            *_RUN,
            f"{world.address}/api/openapi.json",
            "--exclude-checks=positive_data_acceptance",
            f"--auth={':'.join(OPERATOR)}",
            "--no-color",
            "--continue-on-failure",
            "--suppress-health-check=all",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_some_of_all_that_can_be_asked(world: World) -> None:
    said = judge(world, "--phases=examples,fuzzing", "--max-examples=3", "--seed=1")
    assert "Tested: 23" in said


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_much_of_all_that_can_be_asked(world: World) -> None:
    """Every edge of every parameter, and what one answer leads to; then it still works."""
    judge(world, "--phases=examples,coverage,fuzzing,stateful", "--max-examples=60")
    assert requests.get(f"{world.address}/api/events", timeout=20).json()["matched"] >= 5


def test_methods_that_an_address_has_are_told(world: World) -> None:
    answer = requests.delete(f"{world.address}/api/activations", timeout=20)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    answer = requests.post(f"{world.address}/api/activations/x/pairs", timeout=20)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
