"""Okada's formulas against his table, point sources, closed forms of others, and symmetry."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod

from geobservatory.errors import InputError
from geobservatory.events.okada import Dislocation, displacement, rectangle

WGS84 = Geod(ellps="WGS84")
STRIKE, DIP, OPENING = np.eye(3)
RIGHT = math.pi / 2
KINDS = pytest.mark.parametrize("kind", [STRIKE, DIP, OPENING], ids=["strike", "dip", "opening"])

Vector = NDArray[np.float64]
Pair = tuple[float, float]


def okada(
    x: float, y: float, depth: float, dip: float, size: Pair, kind: Vector, poisson: float = 0.25
) -> Vector:
    """Surface displacement in Okada's own axes: origin above the start of the lower edge."""
    sin, cos = (1.0, 0.0) if math.cos(dip) < 1e-8 else (math.sin(dip), math.cos(dip))
    place, top = (x, y - size[1] * cos), depth - size[1] * sin
    return np.array(rectangle(place, top, (sin, cos), size, tuple(kind), 1 - 2 * poisson))


def point(x: Any, y: Any, d: Any, dip: float, kind: Vector, poisson: float = 0.25) -> Vector:
    """Point source of unit moment over rigidity: Okada (1985), equations 8 to 11."""
    s, c = math.sin(dip), math.cos(dip)
    p, q, r = y * c + d * s, y * s - d * c, np.sqrt(x * x + y * y + d * d)
    k = 1 - 2 * poisson
    i1 = k * y * (1 / (r * (r + d) ** 2) - x**2 * (3 * r + d) / (r**3 * (r + d) ** 3))
    i2 = k * x * (1 / (r * (r + d) ** 2) - y**2 * (3 * r + d) / (r**3 * (r + d) ** 3))
    i3 = k * x / r**3 - i2
    i4 = -k * x * y * (2 * r + d) / (r**3 * (r + d) ** 2)
    i5 = k * (1 / (r * (r + d)) - x**2 * (2 * r + d) / (r**3 * (r + d) ** 2))
    place = 3 * np.array([x, y, d]) / r**5
    strike = -(place * x * q + np.array([i1, i2, i4]) * s)
    dips = -(place * p * q - np.array([i3, i1, i5]) * s * c)
    opens = place * q * q - np.array([i3, i1, i5]) * s * s
    return (kind[0] * strike + kind[1] * dips + kind[2] * opens) / (2 * math.pi)


# Table 2. Case 4 there has d = 4 and a dip of -90 degrees: the rectangle hangs from that depth, and
# the sides change names. That is a depth of 6, a dip of 90 degrees and a slip of the other sign.
TABLE = [
    ((2, 3, 4, 70), STRIKE, (-8.689e-3, -4.298e-3, -2.747e-3)),
    ((2, 3, 4, 70), DIP, (-4.682e-3, -3.527e-2, -3.564e-2)),
    ((2, 3, 4, 70), OPENING, (-2.660e-4, 1.056e-2, 3.214e-3)),
    ((0, 0, 4, 90), STRIKE, (0, 5.253e-3, 0)),
    ((0, 0, 4, 90), DIP, (0, 0, 0)),
    ((0, 0, 4, 90), OPENING, (1.223e-2, 0, -1.606e-2)),
    ((0, 0, 6, 90), -STRIKE, (0, -1.303e-3, 0)),
    ((0, 0, 6, 90), -DIP, (0, 0, 0)),
    ((0, 0, 6, 90), OPENING, (3.507e-3, 0, -7.740e-3)),
]


@pytest.mark.parametrize(("case", "kind", "expected"), TABLE)
def test_the_table_of_the_paper(case: Any, kind: Vector, expected: Any) -> None:
    x, y, depth, dip = map(float, case)
    found = okada(x, y, depth, math.radians(dip), (3.0, 2.0), kind)
    assert found == pytest.approx(expected, rel=5e-4, abs=1e-12)  # four digits are printed


@KINDS
@pytest.mark.parametrize("dip", [0, 0.01, 0.6, 1.4, RIGHT - 1e-4, RIGHT])
@pytest.mark.parametrize("poisson", [0.1, 0.25, 0.45])
def test_a_rectangle_is_made_of_point_sources(kind: Vector, dip: float, poisson: float) -> None:
    length, width, depth = 7.0, 4.0, 6.0
    node, weight = np.polynomial.legendre.leggauss(60)
    along, up_dip = np.meshgrid(length / 2 * (1 + node), width / 2 * (1 + node))
    weights = np.outer(weight, weight) * length * width / 4
    for x, y in [(-2, 5), (3.5, 1.1), (0, 0), (9, -4), (7, -30)]:
        where = x - along, y - up_dip * math.cos(dip), depth - up_dip * math.sin(dip)
        integral = (point(*where, dip, kind, poisson) * weights).sum(axis=(1, 2))
        found = okada(float(x), float(y), depth, dip, (length, width), kind, poisson)
        assert found == pytest.approx(integral, rel=1e-8, abs=1e-10)


@KINDS
@pytest.mark.parametrize("dip", [0.0, 0.7, RIGHT])
def test_far_away_it_is_a_point_source(kind: Vector, dip: float) -> None:
    for distance in (100.0, 1000.0):
        for azimuth in np.linspace(0.1, 6, 7):
            x, y = distance * math.cos(azimuth), distance * math.sin(azimuth)
            found = okada(x + 0.5, y + math.cos(dip), 4 + math.sin(dip), dip, (1.0, 2.0), kind)
            source = 2 * point(x, y, 4.0, dip, kind)
            # The displacement falls with the square of distance, what size adds with the fourth.
            assert np.abs(found - source).max() < 1 / distance**4


def test_a_long_vertical_fault_is_a_screw_dislocation() -> None:
    # Weertman and Weertman (1964): s/π (arctan(y/top) - arctan(y/bottom)).
    for y in (-40.0, -3.0, 0.2, 11.0):
        found = okada(5e8, y, 10.0, RIGHT, (1e9, 8.0), STRIKE)
        assert found[0] == pytest.approx((math.atan(y / 10) - math.atan(y / 2)) / math.pi, abs=1e-7)


def test_a_long_thrust_is_an_edge_dislocation() -> None:
    # Segall (2010, chapter 3): the surface motion by one edge, x toward the dip.
    def edge(x: float, depth: float, dip: float) -> Vector:
        z = x / depth
        across = math.cos(dip) * math.atan(z) + (math.sin(dip) - z * math.cos(dip)) / (1 + z * z)
        up = math.sin(dip) * math.atan(z) + (math.cos(dip) + z * math.sin(dip)) / (1 + z * z)
        return np.array([across, up]) / math.pi

    dip, top, width = 0.6, 2.0, 8.0
    rise, reach = width * math.sin(dip), width * math.cos(dip)
    for y in (-30.0, -5.0, 1.0, 20.0):
        found = okada(5e8, y + reach, top + rise, dip, (1e9, width), DIP)
        expected = edge(-y, top, dip) - edge(-y - reach, top + rise, dip)
        assert found[1:] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dip", [0.0, 0.5, 1.2, RIGHT])
@pytest.mark.parametrize("poisson", [0.0, 0.25, 0.49])
def test_the_ground_rises_by_the_volume_of_a_crack(dip: float, poisson: float) -> None:
    # Delaney and McTigue (1994): V (1 - (1 - 2ν) sin² δ / 2), in circles about the source; for slip
    # the same integral of Okada's point source is (1 - 2ν) sin δ cos δ / 2.
    node, weight = np.polynomial.legendre.leggauss(80)
    radius, rings = 5 * (1 + node) / (1 - node), 10 * weight / (1 - node) ** 2
    depth, middle = 4 + 0.5 * math.sin(dip), 0.5 * math.cos(dip)
    total = np.zeros(2)
    for r, ring in zip(radius, rings, strict=True):
        for azimuth in np.linspace(0, 2 * math.pi, 64, endpoint=False):
            place = 1 + r * math.cos(azimuth), middle + r * math.sin(azimuth), depth
            up = [okada(*place, dip, (2.0, 1.0), kind, poisson)[2] for kind in (OPENING, DIP)]
            total += np.array(up) * ring * r * 2 * math.pi / 64
    half = (1 - 2 * poisson) / 2
    expected = 1 - half * math.sin(dip) ** 2, half * math.sin(dip) * math.cos(dip)
    assert total / 2 == pytest.approx(expected, abs=1e-5)


@KINDS
def test_patches_are_the_whole(kind: Vector) -> None:
    for dip in (0.0, 0.4, 1.3, RIGHT - 1e-5, RIGHT):
        sin, cos = math.sin(dip), math.cos(dip)
        for x, y in [(3.0, 2.0), (-5.0, 9.0), (6.1, -3.3)]:
            parts = [
                okada(x - i, y - j * cos, 3 + (6 - j) * sin, dip, (1.0, 1.0), kind)
                for i in range(12)
                for j in range(6)
            ]
            whole = okada(x, y, 3 + 6 * sin, dip, (12.0, 6.0), kind)
            assert whole == pytest.approx(sum(parts), abs=1e-9)


@KINDS
@pytest.mark.parametrize("depth", [2.0, 5.0])
def test_nothing_jumps_at_the_vertical(kind: Vector, depth: float) -> None:
    for x, y in [(1, 2), (-3, 0.4), (4, -6)]:
        vertical = okada(x, y, depth, RIGHT, (3.0, 2.0), kind)
        for lean in 10.0 ** np.arange(-2, -17, -0.5):
            change = okada(x, y, depth, RIGHT - lean, (3.0, 2.0), kind) - vertical
            assert np.abs(change).max() < 2 * lean + 1e-7


def test_the_mirror_image_of_a_vertical_strike_slip_fault() -> None:
    def at(x: float, y: float) -> Vector:
        return okada(1.5 + x, y, 5.0, RIGHT, (3.0, 2.0), STRIKE)

    for x, y in [(0.3, 2.0), (-3.0, 0.4), (2.0, 6.0)]:
        assert at(x, -y) == pytest.approx(at(x, y) * (-1, 1, -1), abs=1e-15)
        assert at(-x, y) == pytest.approx(at(x, y) * (1, -1, -1), abs=1e-15)


@KINDS
@pytest.mark.parametrize("dip", [0.3, 1.0, RIGHT])
def test_on_a_surface_trace_it_is_the_mean_of_both_sides(kind: Vector, dip: float) -> None:
    sin, cos = (1.0, 0.0) if dip == RIGHT else (math.sin(dip), math.cos(dip))

    def at(x: float, y: float) -> Vector:
        return np.array(rectangle((x, y), 0.0, (sin, cos), (3.0, 2.0), tuple(kind), 0.5))

    # What the hanging wall, at y < 0, does and the other side does not.
    apart = np.array([kind[0], cos * kind[1] - sin * kind[2], sin * kind[1] + cos * kind[2]])
    for x in (-1.0, 0.4, 2.0, 4.0):
        hanging, foot = at(x, -1e-9), at(x, 1e-9)
        assert at(x, 0.0) == pytest.approx((hanging + foot) / 2, abs=1e-7)
        expected = apart if 0 < x < 3 else 0 * apart
        assert hanging - foot == pytest.approx(expected, abs=1e-7)
    assert np.isfinite([at(0.0, 0.0), at(3.0, 0.0)]).all()


def fault(**changed: float) -> Dislocation:
    """Make a fault near the antimeridian; the keywords change it."""
    place = {"longitude": 3.141, "latitude": 0.7, "depth_m": 9e3}
    known = {"strike": 0.4, "dip": 0.8, "rake": 1.1, "length_m": 2e4, "width_m": 1e4, "slip_m": 1.5}
    return Dislocation(**place | known | changed)


def around(one: Dislocation, azimuth: Vector, distance: Vector) -> tuple[Vector, Vector, Vector]:
    """Latitudes, longitudes of places about a source, and the azimuths there away from it."""
    lon, lat = (np.full(azimuth.shape, math.degrees(x)) for x in (one.longitude, one.latitude))
    lon, lat, back = WGS84.fwd(lon, lat, np.degrees(azimuth), distance)
    return np.radians(lat), np.radians(lon), np.radians(back) + math.pi


@pytest.mark.parametrize("latitude", [0.0, 0.7, -1.3, 1.5707, math.pi / 2])
def test_the_globe_is_as_flat_as_it_can_be(latitude: float) -> None:
    one = fault(latitude=latitude)
    rng = np.random.default_rng(3)
    azimuth, distance = rng.uniform(-3, 3, 300), 10 ** rng.uniform(1, 5, 300)
    lat, lon, ahead = around(one, azimuth, distance)
    east, north, up = displacement([one], lat, lon)
    # The same in the plane: along and across the geodesic, from Okada's axes.
    angle, y, slip = azimuth - one.strike, 5e3 * math.cos(one.dip), one.slip_m
    kind = np.array([slip * math.cos(one.rake), slip * math.sin(one.rake), 0])
    for i, (cos, sin) in enumerate(zip(np.cos(angle), np.sin(angle), strict=True)):
        place = distance[i] * cos + 1e4, y - distance[i] * sin
        depth = one.depth_m + 5e3 * math.sin(one.dip)
        flat = okada(*place, depth, one.dip, (2e4, 1e4), kind)
        away, right = flat[0] * cos - flat[1] * sin, -flat[0] * sin - flat[1] * cos
        e, n = math.sin(ahead[i]), math.cos(ahead[i])
        found = east[i] * e + north[i] * n, east[i] * n - north[i] * e, up[i]
        assert found == pytest.approx((away, right, flat[2]), abs=2e-7)


def test_only_longitude_differences_count() -> None:
    lat, lon = np.meshgrid(np.linspace(0.69, 0.71, 30), np.linspace(-0.01, 0.01, 30))
    here = displacement([fault(longitude=0.0)], lat, lon)
    beyond = np.where(lon < 0, lon + math.pi, lon - math.pi)
    over = displacement([fault(longitude=math.pi)], lat, beyond)
    assert np.allclose(here, over, rtol=0, atol=1e-12)
    assert np.abs(here).max() > 0.1


def test_faults_move_as_they_are_named() -> None:
    # Strike north, dip east: 4 km east is the hanging wall.
    common = {"strike": 0.0, "longitude": 0.0, "latitude": 0.0, "depth_m": 5e3, "width_m": 9e3}
    lat, lon = np.zeros(2), np.array([4e3, -4e3]) / 6_378_137
    left = displacement([fault(rake=0, dip=RIGHT, **common)], lat, lon)
    assert left[1][0] > 0.1 > -0.1 > left[1][1]
    reverse = displacement([fault(rake=RIGHT, dip=1.0, **common)], lat, lon)
    normal = displacement([fault(rake=-RIGHT, dip=1.0, **common)], lat, lon)
    assert reverse[2][0] > 0.1
    assert np.allclose(reverse, -np.array(normal), rtol=0, atol=1e-15)
    dike = displacement([fault(slip_m=0, opening_m=1, dip=RIGHT, **common)], lat, lon)
    assert dike[0][0] > 0.1 > -0.1 > dike[0][1]
    sill = displacement([fault(slip_m=0, opening_m=1, dip=0, **common)], lat, lon)
    assert (sill[2] > 0.1).all()


def test_displacements_add() -> None:
    lat, lon = np.meshgrid(np.linspace(0.69, 0.71, 20), np.linspace(3.13, 3.15, 20))
    one, other = fault(), fault(strike=2.0, slip_m=0.3, opening_m=0.7)
    first, second = (np.array(displacement([each], lat, lon)) for each in (one, other))
    assert np.allclose(displacement([one, other], lat, lon), first + second, rtol=0, atol=1e-14)
    assert np.allclose(displacement([fault(slip_m=4.5)], lat, lon), 3 * first, rtol=0, atol=1e-14)
    assert np.array_equal(displacement([], lat, lon), np.zeros((3, *lat.shape)))


def test_places_that_are_not_finite_are_nan() -> None:
    lat, lon = np.array([0.7, np.nan, 0.7, np.inf]), np.array([3.1, 3.1, np.nan, 0])
    for sources in ([], [fault()]):
        for part in displacement(sources, lat, lon):
            assert np.isnan(part).tolist() == [False, True, True, True]


def test_one_place_and_none() -> None:
    lat, lon = np.array([[0.701, 0.702]]), np.array([[3.14], [3.142]])
    whole = np.array(displacement([fault()], lat, lon))
    assert whole.shape == (3, 2, 2)
    assert np.array_equal(displacement([fault()], lat[0, 1], lon[1, 0]), whole[:, 1, 1])
    assert np.shape(displacement([fault()], np.zeros((4, 0)), np.zeros((4, 0)))) == (3, 4, 0)


@st.composite
def faults(draw: st.DrawFn) -> Dislocation:
    turns, sizes = st.floats(-math.pi, math.pi), st.floats(1e-3, 1e6)
    dip, width = draw(st.floats(0, RIGHT) | st.just(RIGHT)), draw(sizes)
    top = draw(st.just(0.0) | st.floats(0, 1e5))
    return Dislocation(
        *(draw(turns), draw(turns) / 2, max(top + width / 2 * math.sin(dip), 1e-3)),
        *(draw(turns | st.sampled_from([0.0, RIGHT, math.pi])), dip, draw(turns)),
        *(draw(sizes), width, draw(st.floats(0, 100)), draw(st.floats(-100, 100))),
    )


@settings(max_examples=400, deadline=None)
@given(faults(), st.floats(0, 0.49), st.integers(0, 2**32 - 1))
def test_every_place_has_a_displacement(one: Dislocation, poisson: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    azimuth = rng.choice([one.strike, one.strike + math.pi, one.strike - RIGHT, 0, 1], 60)
    reach = one.width_m / 2 * math.cos(one.dip)
    distance = rng.choice([0, one.length_m / 2, reach, 10 ** rng.uniform(-6, 7)], 60)
    lat, lon, _ = around(one, azimuth, distance)
    lat, lon = np.append(lat, one.latitude), np.append(lon, one.longitude)
    found = displacement([one], lat, lon, poisson)
    assert np.isfinite(found).all()
    # At the very corners of a trace stands a logarithm; that of the smallest number is -745.
    assert np.abs(found).max() <= 745 * (one.slip_m + abs(one.opening_m))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([-3.0, 0.0, 1.5, 3.0, 5.0]) | st.floats(-10, 10),
    st.just(-0.0) | st.floats(-10, 10),
    st.just(0.0) | st.floats(0, 10),
    st.just(RIGHT) | st.floats(0, 1.57079632),
)
def test_every_corner_of_the_formulas_is_finite(x: float, y: float, top: float, dip: float) -> None:
    sin, cos = (1.0, 0.0) if dip == RIGHT else (math.sin(dip), math.cos(dip))
    for at in ((x, y), (0.0, y), (3.0, y), (x, -2 * cos)):
        assert np.isfinite(rectangle(at, top, (sin, cos), (3.0, 2.0), (1.0, 1.0, 1.0), 0.5)).all()


WRONG = {"latitude": 2.0, "depth_m": 0.0, "strike": 200.0, "dip": 45.0, "rake": math.nan}
WRONG |= {"length_m": 0.0, "width_m": -1.0, "slip_m": -1.0, "opening_m": math.inf}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_impossible_faults_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        fault(**{name: value})


def test_a_fault_above_the_surface_is_refused() -> None:
    with pytest.raises(InputError, match="above the surface"):
        fault(depth_m=5e3 * math.sin(0.8) - 1e-3)
    # A micrometre is rounding.
    fault(depth_m=5e3 * math.sin(0.8) - 1e-9)


@pytest.mark.parametrize("poisson", [-0.1, 0.5, math.nan])
def test_impossible_rock_is_refused(poisson: float) -> None:
    with pytest.raises(InputError, match="Poisson"):
        displacement([fault()], np.zeros(1), np.zeros(1), poisson)
