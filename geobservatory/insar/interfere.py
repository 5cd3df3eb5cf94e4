"""One strip of an interferogram: resample, restore the carrier, multiply, flatten, look down.

A reference strip is read once and a secondary strip once; everything in between happens a pixel
at a time while it is in cache. The secondary is deramped as a block, interpolated by a windowed
sinc, given the carrier's phase at the place it was taken from, and multiplied; the phase of the
geometry, 4 pi / lambda times the difference of the two ranges, is taken away. What is left is
positive where the ground moved away from the satellite.

Precision: positions and phases in double (ranges are 1e9 radians long), pixels and sums within a
look cell in single (a cell of 100 looks adds 1e-6 relative).
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.coregister import NODE_LINES, NODE_SAMPLES, Nodes
from geobservatory.insar.tops import Carrier, carrier_phase

# Taps of the interpolation kernel each way, and steps of its table within one sample.
TAPS = 8
_FINE = 256


@dataclass(frozen=True)
class Looked:
    """Sums over look cells of a strip.

    Attributes
    ----------
    cross
        (rows, cols) complex64: reference times conjugate secondary, flattened.
    reference_power, secondary_power
        (rows, cols) float32.
    pixels
        (rows, cols) int32: how many pixels, valid in both images, were summed.
    """

    cross: NDArray[np.complex64]
    reference_power: NDArray[np.float32]
    secondary_power: NDArray[np.float32]
    pixels: NDArray[np.int32]


def kernel_table() -> NDArray[np.float32]:
    """Tabulate the interpolation kernel: a sinc in a Kaiser window, of unit sum.

    Returns
    -------
    table
        (_FINE + 1, TAPS) float32: weights of the samples at -TAPS/2 + 1 … TAPS/2 about the one
        before the place, for each fraction past it.
    """
    fraction = np.arange(_FINE + 1)[:, None] / _FINE
    x = np.arange(-TAPS // 2 + 1, TAPS // 2 + 1)[None, :] - fraction
    window = np.i0(4.0 * np.sqrt(np.maximum(1 - (2 * x / TAPS) ** 2, 0))) / np.i0(4.0)
    table = np.sinc(x) * window
    return np.asarray(table / table.sum(axis=1, keepdims=True), np.float32)


def deramp(pixels: NDArray[np.complex64], first_line: int, carrier: Carrier) -> None:
    """Take the carrier of a burst away from a strip of its lines, in place.

    Parameters
    ----------
    pixels
        (lines, samples) complex64.
    first_line
        Line of the burst that the first of them is.
    """
    _deramp(
        pixels,
        first_line,
        carrier.rate_hz_s,
        carrier.centroid_hz,
        carrier.reference_s,
        carrier.line_s,
    )


def interfere(
    reference: NDArray[np.complex64],
    first: tuple[int, int],
    secondary: NDArray[np.complex64],
    secondary_first_line: int,
    secondary_samples: tuple[int, int],
    secondary_carrier: Carrier,
    nodes: Nodes,
    wavelength_m: float,
    looks: tuple[int, int],
) -> Looked:
    """Make the looked-down interferogram of a strip.

    Parameters
    ----------
    reference
        (lines, samples) complex64, a window of a burst. Pixels that are exactly zero count as not
        valid.
    first
        Line and sample of the burst that the window begins with.
    secondary
        (lines, samples) complex64, deramped; whole lines of its own burst, from
        `secondary_first_line` on, all valid.
    secondary_samples
        First valid sample of them, and the one after the last.
    nodes
        Offsets over the window.
    wavelength_m
        Of the radar.
    looks
        Azimuth and range; cells that the strip does not fill are left out.

    Returns
    -------
    Looked
        (lines // azimuth looks, samples // range looks).
    """
    rows, cols = reference.shape[0] // looks[0], reference.shape[1] // looks[1]
    cross = np.zeros((rows, cols), np.complex64)
    powers = np.zeros((2, rows, cols), np.float32)
    pixels = np.zeros((rows, cols), np.int32)
    left, right = secondary_samples
    _interfere(
        reference, secondary[:, left:right],
        secondary_first_line - first[0], left - first[1],
        nodes.line_offset, nodes.sample_offset, nodes.path_m, 2 / wavelength_m,
        (
            secondary_carrier.rate_hz_s[left:right], secondary_carrier.centroid_hz[left:right],
            secondary_carrier.reference_s[left:right]
            - secondary_first_line * secondary_carrier.line_s,
            secondary_carrier.line_s,
        ),
        _TABLE, looks[0], looks[1], cross, powers[0], powers[1], pixels,
    )  # fmt: skip
    return Looked(cross, powers[0], powers[1], pixels)


_TABLE = kernel_table()


@numba.njit(parallel=True, cache=True)
def _deramp(pixels, first_line, rate, centroid, reference, line_s) -> None:  # type: ignore[no-untyped-def]
    for i in numba.prange(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            phase = carrier_phase(
                rate, centroid, reference, line_s, float(first_line + i), float(j)
            )
            cycles = phase / (2 * math.pi)
            angle = np.float32(2 * math.pi * (cycles - math.floor(cycles)))
            pixels[i, j] *= np.complex64(complex(math.cos(angle), -math.sin(angle)))


@numba.njit(cache=True, inline="always")
def _resampled(secondary, line: float, sample: float, table):  # type: ignore[no-untyped-def]
    """Deramped secondary at a fractional line and sample; zero where the kernel would leave it."""
    row, col = math.floor(line), math.floor(sample)
    top, left = row - TAPS // 2 + 1, col - TAPS // 2 + 1
    if top < 0 or left < 0 or top + TAPS > secondary.shape[0] or left + TAPS > secondary.shape[1]:
        return np.complex64(0)
    down = table[int((line - row) * _FINE + 0.5)]
    across = table[int((sample - col) * _FINE + 0.5)]
    total = np.complex64(0)
    for i in range(TAPS):
        part = np.complex64(0)
        for j in range(TAPS):
            part += across[j] * secondary[top + i, left + j]
        total += down[i] * part
    return total


@numba.njit(cache=True, inline="always")
def _node_row(  # type: ignore[no-untyped-def]
    line, line_shift, sample_shift, line_offset, sample_offset, path, cycles_a_metre, carrier, out
) -> None:
    """Line and sample of the secondary, and cycles of phase to take away, at the nodes of a line.

    The phase is exact here. Between nodes it is straight: within eight samples the carrier bends
    by less than 1e-5 radians, and the path is straight between nodes by itself.
    """
    rate, centroid, time_of_reference, line_s = carrier
    i = line // NODE_LINES
    u = line / NODE_LINES - i
    for j in range(out.shape[1]):
        at_line = line - line_shift + (1 - u) * line_offset[i, j] + u * line_offset[i + 1, j]
        at_sample = (
            j * NODE_SAMPLES
            - sample_shift
            + (1 - u) * sample_offset[i, j]
            + u * sample_offset[i + 1, j]
        )
        farther = (1 - u) * path[i, j] + u * path[i + 1, j]
        phase = carrier_phase(rate, centroid, time_of_reference, line_s, at_line, at_sample)
        out[0, j], out[1, j] = at_line, at_sample
        out[2, j] = phase / (2 * math.pi) + farther * cycles_a_metre


@numba.njit(cache=True, inline="always")
def _turn(cycles: float):  # type: ignore[no-untyped-def]
    """Give exp(-2 pi i cycles), single precision after whole cycles are taken off."""
    angle = np.float32(2 * math.pi * (cycles - math.floor(cycles)))
    return np.complex64(complex(math.cos(angle), -math.sin(angle)))


@numba.njit(parallel=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def _interfere(  # type: ignore[no-untyped-def]
    reference, secondary, line_shift, sample_shift, line_offset, sample_offset, path,
    cycles_a_metre, carrier, table, azimuth_looks, range_looks,
    cross, reference_power, secondary_power, pixels,
) -> None:  # fmt: skip
    nothing = np.complex64(0)
    samples = cross.shape[1] * range_looks
    for row in numba.prange(cross.shape[0]):
        nodes = np.empty((3, path.shape[1]))
        for line in range(row * azimuth_looks, (row + 1) * azimuth_looks):
            _node_row(
                line, line_shift, sample_shift, line_offset, sample_offset, path, cycles_a_metre,
                carrier, nodes,
            )  # fmt: skip
            for first in range(0, samples, NODE_SAMPLES):
                j = first // NODE_SAMPLES
                at_line, at_sample, cycles = nodes[0, j], nodes[1, j], nodes[2, j]
                line_step = (nodes[0, j + 1] - at_line) / NODE_SAMPLES
                sample_step = (nodes[1, j + 1] - at_sample) / NODE_SAMPLES
                cycles_step = (nodes[2, j + 1] - cycles) / NODE_SAMPLES
                # A node without height makes these NaN, which fails the comparison.
                if not (at_line + 8 * line_step >= 0.0 and at_sample + 8 * sample_step >= 0.0):
                    continue
                turn, turn_step = _turn(cycles), _turn(cycles_step)
                for sample in range(first, min(first + NODE_SAMPLES, samples)):
                    z = reference[line, sample]
                    if z != nothing:
                        s = _resampled(secondary, at_line, at_sample, table)
                        if s != nothing:
                            cell = sample // range_looks
                            cross[row, cell] += z * s.conjugate() * turn
                            reference_power[row, cell] += z.real * z.real + z.imag * z.imag
                            secondary_power[row, cell] += s.real * s.real + s.imag * s.imag
                            pixels[row, cell] += 1
                    at_line += line_step
                    at_sample += sample_step
                    turn *= turn_step
