"""`geobs engines check snap gamma` on the command line, through the stand-ins: a whole report."""

import json
import re
from pathlib import Path

import pytest
import standins
from standins.gamma_commands import install_gamma
from test_50_commands import geobs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def settings(folder: Path, **switches: str) -> str:
    (gpt,) = standins.install(folder / "bin", "snap_gpt", ["gpt"], **switches)
    home = install_gamma(folder / "GAMMA_SOFTWARE-20250625")
    (home / "products.txt").write_text(str(folder / "check"))
    file = folder / "geobs.toml"
    file.write_text(
        f'data_dir = "{folder / "data"}"\n'
        f'[engine.snap]\ngpt = "{gpt}"\nmemory_gb = 4\n[engine.gamma]\nhome = "{home}"\n'
    )
    return str(file)


def test_a_report_of_a_failure_and_one_of_success(tmp_path: Path) -> None:
    """SNAP fails after its first graph: said, with the log; the same command then goes on."""
    check = "engines", "check", "--folder", str(tmp_path / "check")
    file = settings(tmp_path, fail="status-0", step="Multilook")
    done = geobs(*check, "snap", ok=None, GEOBS_CONFIG=file)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("geobs: an engine failed or disagrees")
    assert "snap 10.0.0: FAILED" in done.stdout
    assert "ended as if all were well, but said" in done.stdout
    assert "    | Error: [NodeId: Write] java.lang.NullPointerException" in done.stdout
    report = tmp_path / "check" / "report.txt"
    assert str(tmp_path / "check") not in report.read_text()

    done = geobs(*check, "snap", "gamma", ok=None, GEOBS_CONFIG=settings(tmp_path))
    assert done.returncode == 0, done.stdout
    text = report.read_text()
    assert done.stdout.startswith(text)
    assert re.search(r"cores, \d+ GB of memory", text)
    for engine in ("snap 10.0.0", "gamma 20250625"):
        assert f"{engine}: agrees with the native engine" in text
    assert "snaphu 2." in text
    errors = [float(one) for one in re.findall(r"against the truth: ([\d.]+) mm RMS", text)]
    assert len(errors) == 3
    assert max(errors) < 1
    slopes = [float(one) for one in re.findall(r"slope (-?[\d.]+)", text)]
    assert slopes == pytest.approx([1, 1], abs=0.01)
    # The interferogram of the swath was not made again.
    log = (tmp_path / "check" / "maps" / "snap" / "snap.log").read_text()
    assert log.count("snap-1-interferogram-of-IW2.xml -e") == 1
    assert json.loads((tmp_path / "check" / "maps" / "snap" / "metadata.json").read_text())
