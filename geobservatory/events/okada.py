"""How the ground moves when faults slip and cracks open: Okada (1985, BSSA 75, 1135-1154).

A source is a rectangle in an elastic half-space across which the rock is displaced by the same
amount everywhere. The formulas are Okada's for the surface (his equations 24 to 30), all dips from
0 to 90 degrees. Two of his integrals are written so that they keep their digits near the vertical:
there his 1/cos δ of nearly equal terms loses them. Any dip within 1e-8 rad of the vertical is
vertical; close to that the error reaches 1e-7 of the slip, elsewhere it is that of rounding.

**Frame.** The half-space is flat, the Earth is not. A point's place is its distance and azimuth
from the source's centroid: the distance along the ellipsoid, from the chord and the radius of
curvature in that azimuth; the azimuth that of the normal section. Against the geodesic (Karney,
2013) that is within 2 cm at 100 km and 2 m at 500 km. The displacement is turned by the change of
azimuth on the way, so that it is east and north at the point. Heights of the ground play no part.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.insar.ellipsoid import E2, A, to_ecef

Displacement = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

_VERTICAL = 1e-8
# An edge meant to be at the surface may come out above it by rounding.
_ROUNDING_M = 1e-6
# More than the radius of the Earth: something else than metres.
_GREATEST_M = 1e7

_NAMES = (
    "x y z sin_lat cos_lat sin_lon cos_lon along across sin_strike cos_strike"
    " sin_dip cos_dip top length width strike_slip dip_slip opening"
)
_SOURCE = np.dtype([(name, np.float64) for name in _NAMES.split()])


@dataclass(frozen=True)
class Dislocation:
    """A rectangle of rock that slipped, opened or both, by one amount everywhere.

    Strike, dip and rake as Aki and Richards (2002, section 4.2) have them: the fault dips to the
    right of its strike; rake is the direction in which the hanging wall moved, from the strike: 0
    is left-lateral, 90 degrees reverse, -90 degrees normal.

    Parameters
    ----------
    longitude, latitude
        Of the point above the rectangle's centroid, radians.
    depth_m
        Of the centroid, metres, positive down.
    strike, dip, rake
        Radians: strike clockwise from north and rake within ±2π, dip from 0 (a sill) to π/2.
    length_m, width_m
        Along strike and down dip, metres.
    slip_m
        Metres, not negative.
    opening_m
        Metres; negative where the walls closed.

    Raises
    ------
    InputError
        A value is out of its range, or the upper edge would be above the surface.
    """

    longitude: float
    latitude: float
    depth_m: float
    strike: float
    dip: float
    rake: float
    length_m: float
    width_m: float
    slip_m: float = 0.0
    opening_m: float = 0.0

    def __post_init__(self) -> None:
        turn, right = 2 * math.pi, math.pi / 2
        places = (-turn, turn), (-right, right), (0, _GREATEST_M)
        angles = (-turn, turn), (0, right), (-turn, turn)
        sizes = (0, _GREATEST_M), (0, _GREATEST_M), (0, _GREATEST_M), (-_GREATEST_M, _GREATEST_M)
        for field, (least, greatest) in zip(fields(self), places + angles + sizes, strict=True):
            value = getattr(self, field.name)
            positive = field.name in ("depth_m", "length_m", "width_m")
            if not least <= value <= greatest or (positive and value == 0):
                raise InputError(
                    f"{field.name} of a dislocation is {value}; it has to be (metres, radians)"
                    f" {'above' if positive else 'from'} {least:.6g} to {greatest:.6g}"
                )
        if self.depth_m - self.width_m / 2 * math.sin(self.dip) < -_ROUNDING_M:
            raise InputError(
                f"a dislocation {self.width_m:g} m wide with its centroid at {self.depth_m:g} m and"
                f" a dip of {self.dip:g} rad reaches above the surface; lower or narrow it"
            )


def displacement(
    dislocations: Sequence[Dislocation],
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    poisson: float = 0.25,
) -> Displacement:
    """Find how far the surface moves at places, by all dislocations together.

    Parameters
    ----------
    dislocations
        Any number; their displacements add.
    latitude, longitude
        Any one shape, radians.
    poisson
        Poisson's ratio of the rock.

    Returns
    -------
    east, north, up
        Of that shape, metres. On the trace of a fault that reaches the surface, where the ground is
        torn, the mean of its two sides; at the trace's very ends, where the formulas have a
        logarithm of zero, that corner's part is left out. NaN only for places that are not finite.

    Raises
    ------
    InputError
        Poisson's ratio is not from 0 to below 0.5.
    """
    if not 0 <= poisson < 0.5:
        raise InputError(f"Poisson's ratio is {poisson}; it has to be from 0 to below 0.5")
    latitude, longitude = np.broadcast_arrays(latitude, longitude)
    lat, lon = (np.ascontiguousarray(one, np.float64).ravel() for one in (latitude, longitude))
    sources = np.array([_source(one) for one in dislocations], _SOURCE)
    moved = np.empty((3, lat.size))
    _add(sources, 1 - 2 * poisson, lat, lon, moved[0], moved[1], moved[2])
    east, north, up = moved.reshape(3, *latitude.shape)
    return east, north, up


def _source(one: Dislocation) -> tuple[float, ...]:
    """Numbers of a dislocation that do not change from place to place, as `_SOURCE` names them."""
    sin_lat, cos_lat = math.sin(one.latitude), math.cos(one.latitude)
    sin_dip, cos_dip = math.sin(one.dip), math.cos(one.dip)
    if cos_dip < _VERTICAL:
        sin_dip, cos_dip = 1.0, 0.0
    bent = 1 - E2 * sin_lat**2
    return (
        *to_ecef(one.latitude, one.longitude, 0.0),
        *(sin_lat, cos_lat, math.sin(one.longitude), math.cos(one.longitude)),
        # Curvature along the meridian and across it (Torge and Müller, 2012, section 4.1).
        *(bent**1.5 / (A * (1 - E2)), bent**0.5 / A),
        *(math.sin(one.strike), math.cos(one.strike), sin_dip, cos_dip),
        max(one.depth_m - one.width_m / 2 * sin_dip, 0.0),
        *(one.length_m, one.width_m),
        *(one.slip_m * math.cos(one.rake), one.slip_m * math.sin(one.rake), one.opening_m),
    )


@numba.njit(parallel=True, cache=True)
def _add(sources, alpha, latitude, longitude, east, north, up) -> None:  # type: ignore[no-untyped-def]
    for i in numba.prange(latitude.size):
        px, py, pz = to_ecef(latitude[i], longitude[i], 0.0)
        sin_lat, cos_lat = math.sin(latitude[i]), math.cos(latitude[i])
        sin_lon, cos_lon = math.sin(longitude[i]), math.cos(longitude[i])
        # A place that is not finite stays so, whether there are sources or not.
        e_sum = n_sum = u_sum = 0.0 * (px + pz)
        for k in range(sources.size):
            s = sources[k]
            dx, dy, dz = px - s.x, py - s.y, pz - s.z
            e, n = _horizontal(s.sin_lat, s.cos_lat, s.sin_lon, s.cos_lon, dx, dy, dz)
            e_there, n_there = _horizontal(sin_lat, cos_lat, sin_lon, cos_lon, dx, dy, dz)
            flat, flat_there = math.hypot(e, n), math.hypot(e_there, n_there)
            sin, cos, sin_turn, cos_turn = 0.0, 1.0, 0.0, 1.0
            if flat > 0 and flat_there > 0:
                sin, cos = e / flat, n / flat
                sin_turn = (e_there * cos - n_there * sin) / flat_there
                cos_turn = (n_there * cos + e_there * sin) / flat_there
            # Euler's radius of curvature in that azimuth; the arc over the chord.
            twice = 2 / (s.along * cos * cos + s.across * sin * sin)
            chord = math.sqrt(dx * dx + dy * dy + dz * dz)
            distance = twice * math.asin(min(chord / twice, 1.0))
            ahead = distance * (sin * s.sin_strike + cos * s.cos_strike)
            left = distance * (cos * s.sin_strike - sin * s.cos_strike)
            x, y, z = rectangle(
                (ahead + s.length / 2, left - s.width / 2 * s.cos_dip),
                s.top,
                (s.sin_dip, s.cos_dip),
                (s.length, s.width),
                (s.strike_slip, s.dip_slip, s.opening),
                alpha,
            )
            e = x * s.sin_strike - y * s.cos_strike
            n = x * s.cos_strike + y * s.sin_strike
            e_sum += e * cos_turn + n * sin_turn
            n_sum += n * cos_turn - e * sin_turn
            u_sum += z
        east[i], north[i], up[i] = e_sum, n_sum, u_sum


@numba.njit(cache=True, inline="always")
def _horizontal(sin_lat, cos_lat, sin_lon, cos_lon, dx, dy, dz):  # type: ignore[no-untyped-def]
    """East and north parts, at a latitude and longitude, of an Earth-fixed vector."""
    outward = cos_lon * dx + sin_lon * dy
    return cos_lon * dy - sin_lon * dx, cos_lat * dz - sin_lat * outward


@numba.njit(cache=True)
def rectangle(place, top, dip, size, moved, alpha):  # type: ignore[no-untyped-def]
    """Surface displacement along Okada's x (strike), y (to its left) and z (up).

    His origin is above the start of the lower edge, at depth d. Here it is above the start of the
    upper edge, so that no digits are lost where the fault breaks the surface: `place` is his x and
    y - W cos δ, `top` d - W sin δ. `dip` is sin δ and cos δ, `size` L and W, `moved` U1, U2 and U3,
    `alpha` μ/(λ+μ), that is 1 - 2 Poisson's ratio.
    """
    (x, y), (sin, cos), (length, width) = place, dip, size
    q, eta = y * sin - top * cos, y * cos + top * sin
    ux = uy = uz = 0.0
    for lower in range(2):
        down = lower * width
        for end in range(2):
            # Chinnery's sum, equation 24.
            sign = 1.0 if lower != end else -1.0
            xi = x - end * length
            tilde = y + down * cos, top + down * sin
            cx, cy, cz = _corner(xi, eta + down, q, tilde, dip, moved, alpha)
            ux, uy, uz = ux + sign * cx, uy + sign * cy, uz + sign * cz
    return ux / (2 * math.pi), uy / (2 * math.pi), uz / (2 * math.pi)


@numba.njit(cache=True, inline="always")
def _flushed(length):  # type: ignore[no-untyped-def]
    """Zero for a length whose square would be lost to underflow."""
    return length if abs(length) > 1e-100 else 0.0


@numba.njit(cache=True, inline="always")
def _corner(xi, eta, q, tilde, dip, moved, alpha):  # type: ignore[no-untyped-def]
    """Equations 25 to 30 for one corner, times 2π; `tilde` is y and d with a tilde."""
    (y, d), (sin, cos), (u1, u2, u3) = tilde, dip, moved
    xi, eta, q = _flushed(xi), _flushed(eta), _flushed(q)
    along, across = xi * xi + q * q, eta * eta + q * q
    r = math.sqrt(along + eta * eta)
    # R + η = 0: seen from the surface, only at a corner that is there, for q = 0 means η >= 0.
    if along == 0 and (eta <= 0 or r == 0):
        return 0.0, 0.0, 0.0
    r_d = r + d
    # R + η and R + ξ without the difference of nearly equal numbers.
    r_eta = r + eta if eta > 0 else along / (r - eta)
    r_xi = r + xi if xi > 0 else across / (r - xi)
    log = math.log(r_eta)
    by_eta = q / r_eta / r
    if across > 0:
        by_xi = q / r_xi / r
        y_by_xi, d_by_xi = by_xi * y, by_xi * d
    else:
        # R + ξ = 0: on the line of an edge that is at the surface; the limit from its two sides.
        y_by_xi, d_by_xi = (2 * sin if xi < 0 else 0.0), 0.0
    if q != 0:
        angle = math.atan2(math.copysign(xi, xi * q) * eta, abs(q) * r)
    elif eta == 0:
        angle = math.copysign(math.atan2(cos, sin), xi)
    else:
        angle = 0.0  # the mean of the two sides

    if cos == 0:
        i5 = -alpha * xi / r_d
        i4 = -alpha * q / r_d
        i3 = alpha / 2 * (eta / r_d + y * q / (r_d * r_d) - log)
        i1 = -alpha / 2 * xi * q / (r_d * r_d)
    else:
        # ln(R + d) - sin δ ln(R + η) of equation 28, with 1 - sin δ = cos² δ / (1 + sin δ).
        lean = cos / (1 + sin)
        i4 = alpha * (math.log1p(-cos * (q + eta * lean) / r_eta) / cos + lean * log)
        i3 = alpha * (y / (cos * r_d) - log) + sin / cos * i4
        # The complement of the angle in equation 28: their sum is the same on both edges. At ξ = 0
        # it is the 0 that Okada sets.
        flat = math.sqrt(along)
        turn = math.atan2(xi * (r + flat) * cos, eta * (flat + q * cos) + flat * (r + flat) * sin)
        i5 = -2 * alpha / cos * turn
        i1 = -(alpha * xi / r_d + sin * i5) / cos
    i2 = -alpha * log - i3

    both = xi * by_eta - angle
    return (
        -u1 * (xi * by_eta + angle + i1 * sin)
        - u2 * (q / r - i3 * sin * cos)
        + u3 * (q * by_eta - i3 * sin * sin),
        -u1 * (y * by_eta + q * cos / r_eta + i2 * sin)
        - u2 * (y_by_xi + cos * angle - i1 * sin * cos)
        + u3 * (-d_by_xi - sin * both - i1 * sin * sin),
        -u1 * (d * by_eta + q * sin / r_eta + i4 * sin)
        - u2 * (d_by_xi + sin * angle - i5 * sin * cos)
        + u3 * (y_by_xi + cos * both - i5 * sin * sin),
    )
