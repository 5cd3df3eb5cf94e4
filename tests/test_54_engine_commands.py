"""`geobs engines`, and the choice of an engine on the command line."""

import json
from pathlib import Path

from test_50_commands import geobs

SETTINGS = """
[engine]
name = "command"
[engine.command]
program = "own"
run = ["no-such-program", "{inputs}", "{outputs}"]
[engine.command.outputs.wrapped_phase]
file = "phase.tif"
positive = "away"
[engine.command.outputs.coherence]
file = "coherence.tif"
"""


def test_engines_say_what_is_there_and_how_to_get_what_is_not(tmp_path: Path) -> None:
    file = tmp_path / "geobs.toml"
    file.write_text(SETTINGS)
    told = json.loads(geobs("engines", "--json", GEOBS_CONFIG=str(file)).stdout)
    found = {one["name"]: one for one in told}
    assert found["native"]["ready"]
    assert found["native"]["version"]
    assert not found["command"]["ready"]
    assert found["command"]["configured"]
    (lack,) = found["command"]["missing"]
    assert lack["what"] == "no-such-program"
    assert "install it" in lack["remedy"]
    shown = geobs("engines", GEOBS_CONFIG=str(file)).stdout
    assert "no-such-program: install it" in shown


def test_an_engine_that_cannot_work_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = tmp_path / "geobs.toml"
    file.write_text(SETTINGS)
    call = "interferogram", "one.zip", "other.zip", "--out", str(tmp_path / "map")
    done = geobs(*call, ok=False, GEOBS_CONFIG=str(file))
    assert "the engine command cannot work on this machine: no-such-program" in done.stderr
    done = geobs(*call, "--engine", "doris", ok=False, GEOBS_CONFIG=str(file))
    assert "there is no engine doris; there is native" in done.stderr
    done = geobs("engines", "check", "command", ok=False, GEOBS_CONFIG=str(file))
    assert "no-such-program is missing" in done.stderr
