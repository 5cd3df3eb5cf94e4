"""What the simulated radar is like: the figures of Sentinel-1's IW mode.

Timing, bandwidths, windows and steering are those that annotations of IPF 3 carry (Sentinel-1A,
relative orbit 52, September 2023), burst numbering that of ESA's 12-day cycle.
"""

from dataclasses import dataclass

from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

FREQUENCY_HZ = 5_405_000_454.334350
WAVELENGTH_M = SPEED_OF_LIGHT / FREQUENCY_HZ
SAMPLING_HZ = 64_345_238.12571428
SAMPLE_M = SPEED_OF_LIGHT / 2 / SAMPLING_HZ
LINE_S = 2.0555563e-3
BEAM_CYCLE_S = 2.758273
PREAMBLE_S = 2.299849
ORBITS_IN_CYCLE = 175


@dataclass(frozen=True)
class Swath:
    """One swath of the IW mode.

    Attributes
    ----------
    near_range_s
        Two-way slant range time of its first sample.
    valid_lines, valid_samples
        First valid one and the one after the last.
    range_window, azimuth_window
        Coefficient of the Hamming window over each band.
    after_first_s
        Zero-Doppler start of its burst after that of IW1.
    """

    name: str
    near_range_s: float
    samples: int
    lines: int
    valid_lines: tuple[int, int]
    valid_samples: tuple[int, int]
    steering_deg_s: float
    range_bandwidth_hz: float
    range_window: float
    azimuth_bandwidth_hz: float
    azimuth_window: float
    prf_hz: float
    pulse_s: float
    after_first_s: float


SWATHS = {
    "IW1": Swath(
        "IW1", 5.334431164884956e-3, 23055, 1507, (20, 1489), (171, 20636),
        1.590368784, 56.5e6, 0.75, 327.0, 0.70, 1717.128973878037, 52.40481e-6, 0.0,
    ),
    "IW2": Swath(
        "IW2", 5.644353088882477e-3, 26818, 1519, (27, 1493), (157, 24611),
        0.979863325, 48.3e6, 0.75, 313.0, 0.75, 1451.627112193990, 61.99593e-6, 0.9456,
    ),
    "IW3": Swath(
        "IW3", 6.015320711278467e-3, 25769, 1524, (30, 1495), (140, 23826),
        1.397440818, 42.78991840322842e6, 0.75, 314.0, 0.75, 1685.817302492702, 53.39056e-6, 1.9006,
    ),
}  # fmt: skip


def burst_start_s(number: int, relative_orbit: int, swath: Swath) -> float:
    """Zero-Doppler time of a burst's first line after the ascending node, nominal.

    ESA's number n belongs to the beam cycle whose middle is PREAMBLE + (n - 1) cycles into the 12
    days; measured starts come some 0.09 cycles later than that formula's whole numbers.
    """
    orbit_s = 12 * 86400 / ORBITS_IN_CYCLE
    middle = PREAMBLE_S + (number - 1 + 0.09) * BEAM_CYCLE_S - (relative_orbit - 1) * orbit_s
    return middle - (0.832 + 1.078 / 2) + swath.after_first_s


def burst_number(since_node_s: float, relative_orbit: int, swath: Swath) -> int:
    """Find the burst whose first line is nearest to a time after the ascending node."""
    return 1 + round((since_node_s - burst_start_s(1, relative_orbit, swath)) / BEAM_CYCLE_S)
