"""Orbit files: the best one found, fetched whole from a real server, the wrong one refused."""

import gzip
import shutil
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import requests

from geobservatory.errors import InputError, TransientError
from geobservatory.sandbox.path import path_over
from geobservatory.sandbox.servers.faults import Rule
from geobservatory.sandbox.servers.orbits import OrbitsConfig
from geobservatory.sandbox.servers.world import WorldConfig, running
from geobservatory.sentinel1.orbit import read_eof
from geobservatory.sentinel1.orbit_files import (
    OrbitFileName,
    choose_orbit,
    fetch_orbit,
    find_orbit,
    parse_orbit_name,
)
from geobservatory.sentinel1.safe import SafeProduct, open_product

START = datetime(2023, 9, 4, 6, 37, 30, tzinfo=UTC)
STOP = START + timedelta(seconds=27)
HOUR = timedelta(hours=1)


def write_eof(
    folder: Path,
    kind: str = "POEORB",
    mission: str = "S1A",
    around: datetime = START,
    created: datetime | None = None,
) -> Path:
    """Write an orbit file of half an hour about a time, on a circular path."""
    first, last = around - HOUR / 4, around + HOUR / 4
    later = timedelta(days=20) if kind == "POEORB" else 3 * HOUR
    name = OrbitFileName(mission, kind, created or around + later, first, last)
    seen = np.datetime64(START.replace(tzinfo=None), "ns")
    path = path_over(np.radians(31.0), np.radians(-8.4), 880e3, False, seen)
    begin = np.datetime64(first.replace(tzinfo=None), "ns")
    count = int((last - first).total_seconds() // 10) + 1
    times = begin + np.arange(count) * np.timedelta64(10, "s")
    since = (times - path.node_time) / np.timedelta64(1, "ns") * 1e-9
    vectors = []
    for time, position, velocity in zip(times, *path.state(since), strict=True):
        values = dict(zip(("X", "Y", "Z"), position, strict=True))
        values |= dict(zip(("VX", "VY", "VZ"), velocity, strict=True))
        inner = "".join(f"<{axis}>{value:.6f}</{axis}>" for axis, value in values.items())
        vectors.append(f"<OSV><UTC>UTC={time.astype('datetime64[us]')}</UTC>{inner}</OSV>")
    file = folder / f"{name}.EOF"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        "<?xml version='1.0'?><Earth_Explorer_File><Earth_Explorer_Header><Fixed_Header>"
        f"<File_Type>AUX_{kind}</File_Type></Fixed_Header><Variable_Header>"
        "<Ref_Frame>EARTH_FIXED</Ref_Frame></Variable_Header></Earth_Explorer_Header>"
        f"<Data_Block><List_of_OSVs count='{len(vectors)}'>{''.join(vectors)}</List_of_OSVs>"
        "</Data_Block></Earth_Explorer_File>"
    )
    return file


@pytest.fixture(scope="module")
def product(shared_data: Path) -> SafeProduct:
    return open_product(min((shared_data / "sentinel1").glob("S1A*.zip")))


def test_names_are_written_as_read() -> None:
    text = "S1A_OPER_AUX_RESORB_OPOD_20230823T162050_V20230823T123139_20230823T154909"
    name = parse_orbit_name(text + ".EOF.gz")
    assert str(name) == text
    assert (name.mission, name.kind) == ("S1A", "RESORB")
    assert name.covers(datetime(2023, 8, 23, 13, tzinfo=UTC), datetime(2023, 8, 23, 14, tzinfo=UTC))
    assert not name.covers(START, STOP)
    for wrong in ("x.EOF", text + ".pdf", text.replace("S1A", "S2A"), text.replace("0823", "0899")):
        with pytest.raises(InputError):
            parse_orbit_name(wrong)


def test_precise_before_restituted_newest_first(tmp_path: Path) -> None:
    assert find_orbit(tmp_path, "S1A", START, STOP) is None
    restituted = write_eof(tmp_path / "2023" / "RESORB", "RESORB")
    found = find_orbit(tmp_path, "S1A", START, STOP)
    assert found is not None
    assert (found[0], found[1].source) == (restituted, "RESORB")
    write_eof(tmp_path)
    again = write_eof(tmp_path, created=START + timedelta(days=40))
    write_eof(tmp_path, "RESORB", created=START + timedelta(days=50))
    found = find_orbit(tmp_path, "S1A", START, STOP)
    assert found is not None
    assert (found[0], found[1].source) == (again, "POEORB")


def test_copies_in_the_work_of_an_unfinished_map_are_not_taken(tmp_path: Path) -> None:
    """A map made inside the folder of orbit files leaves some there, which go with it."""
    write_eof(tmp_path / "map" / ".work" / "0123" / "user" / "auxdata", created=START)
    assert find_orbit(tmp_path, "S1A", START, STOP) is None
    assert find_orbit(tmp_path / "map" / ".work", "S1A", START, STOP) is not None


def test_other_days_and_satellites_are_never_taken(tmp_path: Path) -> None:
    write_eof(tmp_path, mission="S1B")
    write_eof(tmp_path, around=START + timedelta(days=1))
    # Ends half a minute after the product: too little to interpolate its last line well.
    write_eof(tmp_path, around=STOP - HOUR / 4 + timedelta(seconds=30))
    assert find_orbit(tmp_path, "S1A", START, STOP) is None


def test_damaged_files_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = write_eof(tmp_path, "RESORB")
    cut = write_eof(tmp_path)
    cut.write_bytes(cut.read_bytes()[:5000])
    packed = write_eof(tmp_path, created=START + timedelta(days=30))
    squeezed = Path(f"{packed}.gz")
    squeezed.write_bytes(gzip.compress(packed.read_bytes())[:3000])
    packed.unlink()
    found = find_orbit(tmp_path, "S1A", START, STOP)
    assert found is not None
    assert found[0] == good
    assert cut.name in caplog.text
    assert squeezed.name in caplog.text


def test_a_zip_is_read(tmp_path: Path) -> None:
    plain = write_eof(tmp_path)
    packed = Path(f"{plain}.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(plain, plain.name)
    assert np.array_equal(read_eof(packed).positions_m, read_eof(plain).positions_m)
    packed.write_bytes(packed.read_bytes()[:500])
    with pytest.raises(InputError, match="cannot be read"):
        read_eof(packed)


def test_a_real_file_serves_its_own_day_only(shared_data: Path, product: SafeProduct) -> None:
    real = next((shared_data / "orbits").glob("*RESORB*.gz"))
    name = parse_orbit_name(real.name)
    middle = name.start + (name.stop - name.start) / 2
    found = find_orbit(real.parent, "S1A", middle, middle + timedelta(seconds=27))
    assert found is not None
    assert found[0] == real
    with pytest.raises(InputError, match=r"covers 2023-08-23.*needs 2023-09-04"):
        choose_orbit([product], real)


def test_the_choice_for_a_product(tmp_path: Path, product: SafeProduct) -> None:
    own = choose_orbit([product], None)
    assert (own.file, own.orbit.source) == (None, "annotation")
    empty = choose_orbit([product], tmp_path)
    assert empty.file is None
    assert "none of S1A for 2023-09-04" in empty.reason
    restituted = write_eof(tmp_path, "RESORB")
    chosen = choose_orbit([product], tmp_path)
    assert (chosen.file, chosen.orbit.source) == (restituted, "RESORB")
    assert choose_orbit([product], write_eof(tmp_path)).orbit.source == "POEORB"
    with pytest.raises(InputError, match="an orbit of S1B; the product is of S1A"):
        choose_orbit([product], write_eof(tmp_path, mission="S1B"))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Path, str, str]]:
    """Serve a folder of orbit files as the ASF does, long after they were all made."""
    folder = tmp_path / "archive"
    for kind in ("RESORB", "POEORB"):
        write_eof(folder, kind)
        write_eof(folder, kind, around=START + timedelta(days=3))
    config = WorldConfig(
        hubs=[OrbitsConfig(name="orbits", folder=folder)],
        start=START + timedelta(days=60),
    )
    with running(config) as addresses:
        yield folder, addresses["orbits"], addresses["control"]


def test_the_best_is_fetched_verified_and_kept(
    tmp_path: Path, archive: tuple[Path, str, str], product: SafeProduct
) -> None:
    folder, address, _ = archive
    cache = tmp_path / "cache"
    cache.mkdir()
    restituted = write_eof(cache, "RESORB")
    chosen = choose_orbit([product], cache, fetch_from=address)
    assert chosen.file is not None
    assert chosen.orbit.source == "POEORB"
    assert chosen.file.read_bytes() == (folder / chosen.file.name).read_bytes()
    assert restituted.exists()
    # Kept: no server is needed for it again.
    assert choose_orbit([product], cache).file == chosen.file


def test_before_the_precise_one_is_published_the_restituted_serves(
    tmp_path: Path, archive: tuple[Path, str, str]
) -> None:
    _, address, control = archive
    for after, kind in ((timedelta(days=1), "RESORB"), (timedelta(days=21), "POEORB")):
        requests.post(f"{control}/time", json={"now": (START + after).isoformat()}, timeout=5)
        path = fetch_orbit(tmp_path / kind, address, "S1A", START, STOP)
        assert path is not None
        assert kind in path.name
    requests.post(f"{control}/time", json={"now": START.isoformat()}, timeout=5)
    assert fetch_orbit(tmp_path / "none", address, "S1A", START, STOP) is None
    assert fetch_orbit(tmp_path / "none", address, "S1B", START, STOP) is None


def test_bad_servers_leave_nothing_half_written(
    tmp_path: Path, archive: tuple[Path, str, str], product: SafeProduct
) -> None:
    _, address, control = archive
    cache = tmp_path / "cache"
    waits: list[float] = []

    def with_fault(fault: dict[str, object], times: int | None = None) -> None:
        requests.delete(f"{control}/faults", timeout=5)
        rule = Rule(name="bad", hub="orbits", path="*.EOF", times=times, fault=fault)
        body = rule.model_dump(mode="json", exclude_none=True)
        answer = requests.post(f"{control}/faults", json=body, timeout=5)
        assert answer.ok, answer.text

    for fault in ({"kind": "truncate", "after_bytes": 900}, {"kind": "flip", "count": 40}):
        with_fault(fault)
        waits.clear()
        with pytest.raises(TransientError, match="gave up after 5 attempts"):
            fetch_orbit(cache, address, "S1A", START, STOP, waits.append)
        assert len(waits) == 4
        assert not list(cache.rglob("*.EOF"))
        assert not list(cache.rglob(".*"))
    chosen = choose_orbit([product], cache, fetch_from=address, wait=waits.append)
    assert chosen.orbit.source == "annotation"
    with_fault({"kind": "status", "code": 503}, times=2)
    fetched = fetch_orbit(cache, address, "S1A", START, STOP, waits.append)
    assert fetched is not None
    assert read_eof(fetched).source == "POEORB"


def test_a_server_that_is_not_there_is_transient(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="does not list"):
        fetch_orbit(tmp_path, "http://127.0.0.1:9", "S1A", START, STOP)


def test_two_at_once_end_with_one_whole_file(
    tmp_path: Path, archive: tuple[Path, str, str]
) -> None:
    _, address, _ = archive
    found: list[Path | None] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(fetch_orbit(tmp_path / "one", address, "S1A", START, STOP))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert found[0] is not None
    assert read_eof(found[0]).source == "POEORB"
    shutil.rmtree(tmp_path / "one")
