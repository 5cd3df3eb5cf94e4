"""Baselines: against GAMMA's definition, against the archive's values, against symmetry."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.interpolate import CubicHermiteSpline

from geobservatory.errors import InputError
from geobservatory.insar.baseline import baseline_at, baselines
from geobservatory.insar.geo2rdr import geo2rdr
from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import Track, make_track
from geobservatory.sentinel1.orbit import Orbit
from geobservatory.sentinel1.safe import open_product

ZERO = np.zeros(1)


def _track(orbit: Orbit) -> Track:
    span = np.timedelta64(round(float(orbit.times_s[-1]) * 1e9), "ns")
    return make_track(orbit, orbit.epoch, orbit.epoch + span, 0)


def test_the_definition_is_that_of_gamma(shared_data: Path) -> None:
    """Shift a real path by GAMMA's cross-track and normal parts: its own table comes out."""
    header = (shared_data / "gamma/headers/r20180106_VV_slc.par").read_text()
    values = {
        line.split(":")[0]: line.split(":")[1].split()[:3]
        for line in header.splitlines()
        if line.startswith("state_vector_")
    }
    position, velocity = (
        np.array([values[f"state_vector_{what}_{i}"] for i in range(1, 7)], float)
        for what in ("position", "velocity")
    )
    times = np.datetime64("2018-01-06T00:39:59", "ns") + 10 * np.arange(6).astype("timedelta64[s]")
    table = shared_data / "gamma/geometry/20180307-20180319_VV_8rlks_bperp.par"
    rows = [line.split() for line in table.read_text().splitlines() if line.count(".") == 7]
    cross, normal, angle, parallel, perpendicular = (
        np.array([float(row[column]) for row in rows]) for column in (3, 4, 5, 6, 7)
    )
    down = -position / np.linalg.norm(position, axis=1, keepdims=True)
    right = np.cross(down, velocity)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    down = np.cross(velocity, right)
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    reference = _track(Orbit.from_vectors(times, position, velocity, "GAMMA"))
    compared = 0
    for i in range(0, len(rows), 40):
        moved = position + cross[i] * right + normal[i] * down
        other = _track(Orbit.from_vectors(times, moved, velocity, "GAMMA"))
        # The place seen at the table's look angle, by the law of cosines on the local sphere.
        far, earth, look = 7_073_899.2, 6_375_868.94, np.radians(angle[i])
        distance = far * np.cos(look) - np.sqrt(earth**2 - (far * np.sin(look)) ** 2)
        lat, lon = rdr2geo(reference, np.array([25.0]), np.array([distance]), ZERO)
        across, along = baseline_at(reference, other, lat, lon, ZERO)
        assert across[0] == pytest.approx(perpendicular[i], abs=0.002)
        assert along[0] == pytest.approx(parallel[i], abs=0.002)
        compared += 1
    assert compared > 10


@pytest.fixture(scope="module")
def stack(shared_data: Path) -> list[dict[str, Any]]:
    """Three passes over Fairbanks, with two state vectors each."""
    text = (shared_data / "asf/Fairbanks_S1_stack_preprocessed.yml").read_text()
    found: list[dict[str, Any]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict) and node.get("baseline"):
            found.append(node["baseline"])
        elif isinstance(node, dict | list):
            for one in node.values() if isinstance(node, dict) else node:
                walk(one)

    walk(yaml.safe_load(text))
    assert len(found) == 3
    return found


def _vectors(one: dict[str, Any]) -> tuple[np.datetime64, np.ndarray, np.ndarray]:
    position, velocity = one["stateVectors"]["positions"], one["stateVectors"]["velocities"]
    return (
        np.datetime64(position["prePositionTime"], "ns"),
        np.array([position["prePosition"], position["postPosition"]]),
        np.array([velocity["preVelocity"], velocity["postVelocity"]]),
    )


def _curved(one: dict[str, Any]) -> Track:
    """Cubic Hermite between two vectors 10 s apart: off by less than a millimetre."""
    start, position, velocity = _vectors(one)
    path = CubicHermiteSpline([0, 10], position, velocity)
    at = np.arange(11.0)
    return _track(
        Orbit.from_vectors(start + at.astype("timedelta64[s]"), path(at), path(at, 1), "Hermite")
    )


def _straight(one: dict[str, Any]) -> Track:
    """As the archive goes from one vector to the next: a straight line, lifted to the radius."""
    start, position, velocity = _vectors(one)
    share = np.linspace(0, 1, 11)[:, None]
    line = position[0] * (1 - share) + position[1] * share
    radius = np.linalg.norm(position, axis=1)
    line *= (radius[0] * (1 - share) + radius[1] * share) / np.linalg.norm(
        line, axis=1, keepdims=True
    )
    speed = velocity[0] * (1 - share) + velocity[1] * share
    times = start + np.arange(11).astype("timedelta64[s]")
    return _track(Orbit.from_vectors(times, line, speed, "straight"))


def test_the_archive_s_baselines(stack: list[dict[str, Any]]) -> None:
    """37 and 40 m: where the archive takes a secondary's position, within 1 m (it rounds to 1 m).

    It compares the passes at one time after the node, 0.480 and 0.059 s past the secondary's
    vector, on a straight line to the next one 76 km on. That line leaves the true path sideways,
    by the Coriolis acceleration over those 10 s: 1.9 m at the first, 0.2 m at the second. On the
    true paths the baselines are 35.1 and 40.1 m.
    """
    reference = _curved(stack[0])
    place = np.radians([64.9861]), np.radians([-147.0909])
    _, distance = geo2rdr(reference, *place, ZERO)
    published = (37, 40)
    nodes = [np.datetime64(one["ascendingNodeTime"].rstrip("Z"), "ns") for one in stack]
    since_node = [
        (_vectors(one)[0] - node) / np.timedelta64(1, "s")
        for one, node in zip(stack, nodes, strict=True)
    ]
    curved, straight = [], []
    for one, since in zip(stack[1:], since_node[1:], strict=True):
        at = np.array([since_node[0] - since])
        lat, lon = rdr2geo(reference, at, distance, ZERO)
        straight.append(baseline_at(reference, _straight(one), lat, lon, ZERO)[0][0])
        curved.append(baseline_at(reference, _curved(one), *place, ZERO)[0][0])
    assert straight == pytest.approx(published, abs=0.6)
    assert curved == pytest.approx((35.13, 40.10), abs=0.01)
    assert abs(curved[1] - published[1]) < 1


def test_the_al_haouz_pair(shared_data: Path) -> None:
    first, second = (
        open_product(path) for path in sorted((shared_data / "sentinel1").glob("S1A*.zip"))
    )
    there, back = baselines(first, second), baselines(second, first)
    assert len(there) == 27
    for one, other in zip(there, back, strict=True):
        assert one.perpendicular_m == pytest.approx(-other.perpendicular_m, abs=0.01)
        assert one.parallel_m == pytest.approx(-other.parallel_m, abs=0.01)
        assert one.temporal_days == pytest.approx(12, abs=1e-5)
        assert one.least_m < one.perpendicular_m < one.greatest_m
    # Farther out the same two positions are seen at another angle: it changes smoothly.
    middle = {one.burst.swath: one.perpendicular_m for one in there[4::9]}
    assert middle["IW1"] < middle["IW2"] < middle["IW3"]


def test_nothing_in_common_is_said(shared_data: Path) -> None:
    paths = sorted((shared_data / "sentinel1").glob("*.zip"))
    with pytest.raises(InputError, match=r"no common burst.*relative orbit 52.*relative orbit 168"):
        baselines(open_product(paths[0]), open_product(paths[2]))
