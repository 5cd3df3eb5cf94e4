"""Mirrors in a storm: commands over HTTP that are killed, and a time of simulated publications."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.mirror_storm import storm
from benchmarks.mirror_year import year
from benchmarks.storm import make


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes of the checkout find their modules, and settings of their own."""
    monkeypatch.setenv("GEOBS_CONFIG", "")
    monkeypatch.delenv("GEOBS_DATA_DIR")
    monkeypatch.chdir(Path(__file__).resolve().parents[1])


@pytest.mark.server
@pytest.mark.timeout(280)
@pytest.mark.usefixtures("checkout")
def test_commands_that_are_killed_bring_everything_once(tmp_path: Path) -> None:
    result = storm(tmp_path, make(tmp_path / "products", 16), kills=3)
    assert result.good, result
    assert result.kills > 0 and sum(result.faults.values()) > 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("checkout")
def test_days_with_processes_that_are_killed(tmp_path: Path) -> None:
    """Three unreliable upstreams, two processes killed at random: the right set is held.

    Nothing comes twice without need, and all is accounted for; `make mirror` lets a year pass.
    """
    result = year(tmp_path, days=8)
    assert result.good, result
    assert result.kills > 2 and result.rotten > 0
    assert {"came", "evicted"} <= set(result.happened)
