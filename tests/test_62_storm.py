"""A storm in a glass: faults of every kind at once, processes killed at random, nothing lost.

`make storm` is the large one, with figures in docs/storm.md.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.storm import make, storm


@pytest.mark.server
@pytest.mark.timeout(280)
def test_everything_arrives_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The storm writes settings of its own.
    monkeypatch.setenv("GEOBS_CONFIG", "")
    monkeypatch.delenv("GEOBS_DATA_DIR")
    monkeypatch.chdir(Path(__file__).resolve().parents[1])
    result = storm(tmp_path, make(tmp_path / "products", 30), workers=2)
    assert result.good, result
    assert result.kills > 0
    assert len(result.faults) >= 10
    assert result.served < 1.5 * result.bytes
