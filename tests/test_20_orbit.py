"""Orbits: interpolation against vectors it was not given, and nothing beyond the last of them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from geobservatory.errors import InputError
from geobservatory.sentinel1.orbit import Orbit, read_eof


@pytest.fixture(scope="module")
def resorb(shared_data: Path) -> Path:
    return next((shared_data / "orbits").glob("*RESORB*"))


def circular(step_s: float = 10.0, count: int = 16) -> tuple[Orbit, float]:
    """Make a circle of Sentinel-1's size about the z axis, and its angular velocity."""
    rate = 2 * np.pi / 5924
    t = np.arange(count) * step_s
    radius = 7_071_000.0
    angle = rate * t
    position = radius * np.stack([np.cos(angle), np.sin(angle), 0 * t], axis=1)
    velocity = radius * rate * np.stack([-np.sin(angle), np.cos(angle), 0 * t], axis=1)
    times = np.datetime64("2020-01-01", "ns") + (t * 1e9).astype("timedelta64[ns]")
    return Orbit.from_vectors(times, position, velocity, "annotation"), rate


def test_a_circle_is_followed_to_a_micrometre() -> None:
    orbit, rate = circular()
    t = np.linspace(30, 120, 1001)
    position, velocity = orbit.interpolate(t)
    truth = 7_071_000.0 * np.stack([np.cos(rate * t), np.sin(rate * t), 0 * t], axis=1)
    assert np.abs(position - truth).max() < 1e-6
    assert np.abs(np.linalg.norm(velocity, axis=1) - 7_071_000.0 * rate).max() < 1e-6


def test_withheld_vectors_of_a_real_orbit_are_met_to_a_twentieth_of_a_millimetre(
    resorb: Path,
) -> None:
    orbit = read_eof(resorb)
    assert orbit.source == "RESORB"
    thinned = Orbit(
        orbit.epoch,
        orbit.times_s[::2],
        orbit.positions_m[::2],
        orbit.velocities_m_s[::2],
        "RESORB",
    )
    inner = slice(9, len(orbit.times_s) - 10)
    position, velocity = thinned.interpolate(orbit.times_s[inner])
    assert np.linalg.norm(position - orbit.positions_m[inner], axis=1).max() < 5e-5
    assert np.linalg.norm(velocity - orbit.velocities_m_s[inner], axis=1).max() < 5e-5


def test_nothing_is_extrapolated() -> None:
    orbit, _ = circular()
    for time in (-0.1, 150.1, np.nan):
        with pytest.raises(InputError):
            orbit.interpolate(time)
    with pytest.raises(InputError, match="an orbit file of that day is needed"):
        orbit.require(200.0)


def test_vectors_out_of_order_are_sorted_and_repeats_taken_once() -> None:
    orbit, _ = circular()
    times = orbit.epoch + (orbit.times_s * 1e9).astype("timedelta64[ns]")
    order = np.r_[np.arange(16)[::-1], 3]
    shuffled = Orbit.from_vectors(
        times[order], orbit.positions_m[order], orbit.velocities_m_s[order], "annotation"
    )
    assert np.array_equal(shuffled.positions_m, orbit.positions_m)


def test_damaged_orbit_files_are_refused(resorb: Path, tmp_path: Path) -> None:
    text = gzip.decompress(resorb.read_bytes())
    file = tmp_path / "orbit.EOF"
    file.write_bytes(b"\n\n" + text + b"\n\n")
    assert len(read_eof(file).times_s) == len(read_eof(resorb).times_s)
    broken = {
        "cut": text[: len(text) // 2],
        "frame": text.replace(b"<Ref_Frame>EARTH_FIXED", b"<Ref_Frame>INERTIAL"),
        "count": text.replace(b'<List_of_OSVs count="', b'<List_of_OSVs count="1'),
        "number": text.replace(b"<X unit", b"<X>x</X><X unit", 1),
        "time": text.replace(b"<UTC>UTC=2023", b"<UTC>UTC=23", 1),
    }
    for name, content in broken.items():
        assert content != text, name
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"orbit\.EOF"):
            read_eof(file)
    file.write_bytes(resorb.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be read"):
        read_eof(file)
