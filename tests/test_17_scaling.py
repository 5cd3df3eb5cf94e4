"""Rupture sizes against Leonard's tables and the definition of the seismic moment."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geobservatory.errors import InputError
from geobservatory.events.scaling import RIGIDITY, Faulting, rupture, seismic_moment

# Leonard (2014) makes magnitudes of moments with 6.07, Hanks and Kanamori with 6.033.
LEONARDS = 6.07 - 9.05 / 1.5


@given(st.floats(4, 9.5), st.sampled_from(Faulting))
def test_the_rupture_gives_back_the_moment(magnitude: float, faulting: Faulting) -> None:
    one = rupture(magnitude, faulting)
    moment = RIGIDITY * one.length_m * one.width_m * one.slip_m
    assert moment == pytest.approx(seismic_moment(magnitude), rel=1e-12)
    assert one.length_m >= one.width_m * (1 - 1e-12)


@pytest.mark.parametrize("faulting", Faulting)
def test_larger_earthquakes_rupture_more_without_steps(faulting: Faulting) -> None:
    ruptures = [rupture(4 + step / 1000, faulting) for step in range(5501)]
    for name in ("length_m", "width_m", "slip_m"):
        sizes = [getattr(one, name) for one in ruptures]
        ratios = [after / before for before, after in pairwise(sizes)]
        # The steepest is the length of wide strike-slip ruptures: tenfold with each magnitude.
        assert 1 <= min(ratios)
        assert max(ratios) <= 10**0.001 * (1 + 1e-9)


def test_a_strike_slip_earthquake_of_magnitude_7() -> None:
    one = rupture(7 + LEONARDS, Faulting.STRIKE_SLIP)
    # Table 4: 3.99 + log A, 6.85 + 2 log D; table 3: width at most 17.5 km beyond 40 km.
    assert math.log10(one.length_m * one.width_m / 1e6) == pytest.approx(7 - 3.99, abs=0.01)
    assert math.log10(one.slip_m) == pytest.approx((7 - 6.85) / 2, abs=0.01)
    assert one.width_m == pytest.approx(17_500, abs=50)
    # Table 4 has 5.27 + log L, of a width of 19 km.
    assert math.log10(one.length_m / 1000) == pytest.approx(7 - 5.27, abs=0.04)


def test_a_strike_slip_earthquake_of_magnitude_6() -> None:
    one = rupture(6 + LEONARDS, Faulting.STRIKE_SLIP)
    assert math.log10(one.length_m / 1000) == pytest.approx((6 - 4.17) / 1.667, abs=0.01)
    assert one.width_m == pytest.approx(15.0 * one.length_m ** (2 / 3), rel=0.002)


@pytest.mark.parametrize("magnitude", [6.0, 7.0, 8.0, 9.0])
def test_dip_slip_earthquakes(magnitude: float) -> None:
    one = rupture(magnitude + LEONARDS, Faulting.DIP_SLIP)
    # Table 4: 4.24 + 1.667 log L, 3.63 + 2.5 log W, 4.00 + log A, 6.84 + 2 log D.
    assert math.log10(one.length_m / 1000) == pytest.approx((magnitude - 4.24) / 1.667, abs=0.01)
    assert math.log10(one.width_m / 1000) == pytest.approx((magnitude - 3.63) / 2.5, abs=0.01)
    assert math.log10(one.length_m * one.width_m / 1e6) == pytest.approx(magnitude - 4, abs=0.01)
    assert math.log10(one.slip_m) == pytest.approx((magnitude - 6.84) / 2, abs=0.01)


def test_small_ruptures_are_square() -> None:
    # Up to 3.4 km for strike-slip and 5.36 km for dip-slip faults, table 3.
    for faulting, largest in ((Faulting.STRIKE_SLIP, 3400), (Faulting.DIP_SLIP, 5360)):
        sizes = [rupture(4 + step / 100, faulting) for step in range(300)]
        square = [one.length_m for one in sizes if one.length_m == pytest.approx(one.width_m)]
        assert max(square) == pytest.approx(largest, rel=0.02)


def test_the_moment_of_a_magnitude() -> None:
    assert seismic_moment(7) == pytest.approx(3.548e19, rel=1e-3)
    assert seismic_moment(8) / seismic_moment(6) == pytest.approx(1000)


@pytest.mark.parametrize("magnitude", [3.9, 9.6, math.nan, -math.inf])
def test_other_magnitudes_are_refused(magnitude: float) -> None:
    with pytest.raises(InputError, match="magnitude"):
        rupture(magnitude, Faulting.DIP_SLIP)
