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
# Samples beyond the secondary's own on either side of a line that is being interpolated.
_PAD = 32


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
    planes = np.empty((2, secondary.shape[0], right - left), np.float32)
    _split(secondary[:, left:right], planes)
    _interfere(
        reference, planes,
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


@numba.njit(parallel=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def _deramp(pixels, first_line, rate, centroid, reference, line_s) -> None:  # type: ignore[no-untyped-def]
    samples = pixels.shape[1]
    for i in numba.prange(pixels.shape[0]):
        line = float(first_line + i)
        ahead = _cycles(rate, centroid, reference, line_s, line, 0.0)
        for first in range(0, samples, NODE_SAMPLES):
            # Within eight samples the carrier bends by less than 1e-5 radians.
            cycles = ahead
            ahead = _cycles(rate, centroid, reference, line_s, line, float(first + NODE_SAMPLES))
            turn, step = _turn(cycles), _turn((ahead - cycles) / NODE_SAMPLES)
            for j in range(first, min(first + NODE_SAMPLES, samples)):
                pixels[i, j] *= turn
                turn *= step


@numba.njit(cache=True, inline="always")
def _cycles(rate, centroid, reference, line_s, line: float, sample: float):  # type: ignore[no-untyped-def]
    # Past the last sample the carrier goes on as it did: the step before it must stay straight.
    last = rate.size - 1
    phase = carrier_phase(rate, centroid, reference, line_s, line, min(sample, float(last)))
    if sample > last:
        before = carrier_phase(rate, centroid, reference, line_s, line, float(last - 1))
        phase += (sample - last) * (phase - before)
    return phase / (2 * math.pi)


@numba.njit(cache=True, inline="always")
def _turn(cycles: float):  # type: ignore[no-untyped-def]
    """Give exp(-2 pi i cycles), single precision after whole cycles are taken off."""
    angle = np.float32(2 * math.pi * (cycles - math.floor(cycles)))
    return np.complex64(complex(math.cos(angle), -math.sin(angle)))


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


@numba.njit(parallel=True, cache=True)
def _split(pixels, planes) -> None:  # type: ignore[no-untyped-def]
    """Part complex numbers into real and imaginary planes, which vector units like better."""
    for i in numba.prange(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            planes[0, i, j] = pixels[i, j].real
            planes[1, i, j] = pixels[i, j].imag


@numba.njit(cache=True, fastmath={"contract", "nsz", "reassoc"})
def _between_lines(planes, nodes, table, out) -> None:  # type: ignore[no-untyped-def]
    """Interpolate between the lines of the secondary, at each of its samples that is needed.

    The line wanted changes by some 1e-4 from sample to sample: from node to node it is taken as
    one number, nearer to the truth than the kernel's table has steps. What the kernel would leave
    is NaN. `out` has `_PAD` samples more on either side.
    """
    _, lines, width = planes.shape
    out[:] = np.nan
    done = 0
    for j in range(nodes.shape[1] - 1):
        at_line, first, stop = nodes[0, j], nodes[1, j], nodes[1, j + 1]
        at_line = 0.5 * (at_line + nodes[0, j + 1])
        # A node without height fails the comparisons.
        if not (0 <= at_line < lines and -_PAD < first < stop < width + _PAD):
            continue
        row = int(at_line)
        top = row - TAPS // 2 + 1
        if top < 0 or top + TAPS > lines:
            continue
        weights = table[int((at_line - row) * _FINE + 0.5)]
        left = max(done, math.floor(first) - TAPS // 2, 0)
        right = min(math.floor(stop) + TAPS // 2 + 2, width)
        done = max(done, right)
        for part in range(2):
            plane, line = planes[part], out[part]
            for k in range(left, right):
                total = weights[0] * plane[top, k]
                for i in range(1, TAPS):
                    total += weights[i] * plane[top + i, k]
                line[_PAD + k] = total


@numba.njit(parallel=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def _interfere(  # type: ignore[no-untyped-def]
    reference, planes, line_shift, sample_shift, line_offset, sample_offset, path,
    cycles_a_metre, carrier, table, azimuth_looks, range_looks,
    cross, reference_power, secondary_power, pixels,
) -> None:  # fmt: skip
    samples = cross.shape[1] * range_looks
    width = planes.shape[2]
    for row in numba.prange(cross.shape[0]):
        nodes = np.empty((3, path.shape[1]))
        between = np.empty((2, width + 2 * _PAD), np.float32)
        # Sums over the lines of the row: cross product (two parts), the two powers, how many.
        sums = np.zeros((5, samples + NODE_SAMPLES), np.float32)
        for line in range(row * azimuth_looks, (row + 1) * azimuth_looks):
            _node_row(
                line, line_shift, sample_shift, line_offset, sample_offset, path, cycles_a_metre,
                carrier, nodes,
            )  # fmt: skip
            _between_lines(planes, nodes, table, between)
            _multiply(reference[line], between, nodes, table, samples, sums)
        for cell in range(cross.shape[1]):
            re, im, one, other, count = sums[:, cell * range_looks]
            for sample in range(cell * range_looks + 1, (cell + 1) * range_looks):
                re += sums[0, sample]
                im += sums[1, sample]
                one += sums[2, sample]
                other += sums[3, sample]
                count += sums[4, sample]
            cross[row, cell] = complex(re, im)
            reference_power[row, cell] = one
            secondary_power[row, cell] = other
            pixels[row, cell] = int(count)


@numba.njit(cache=True, fastmath={"contract", "nsz", "reassoc"})
def _multiply(reference, between, nodes, table, samples, sums) -> None:  # type: ignore[no-untyped-def]
    """Interpolate between samples, multiply with the reference, turn the phase, and add up.

    From node to node the place between samples is one number too: it changes by 1e-3 at most where
    ground is not laid over, and shifts no phase, for the spectrum lies about zero.
    """
    zero = np.float32(0)
    re, im = np.empty(NODE_SAMPLES, np.float32), np.empty(NODE_SAMPLES, np.float32)
    last = between.shape[1] - TAPS - NODE_SAMPLES
    for first in range(0, samples, NODE_SAMPLES):
        j = first // NODE_SAMPLES
        at_sample, cycles = nodes[1, j], nodes[2, j]
        step = (nodes[1, j + 1] - at_sample) / NODE_SAMPLES
        middle = at_sample + (step - 1.0) * (0.5 * NODE_SAMPLES - 0.5)
        if not (-_PAD + TAPS < middle < last - _PAD):
            continue
        col = math.floor(middle)
        weights = table[int((middle - col) * _FINE + 0.5)]
        left = _PAD + col - TAPS // 2 + 1
        for k in range(NODE_SAMPLES):
            re[k], im[k] = zero, zero
        for i in range(TAPS):
            for k in range(NODE_SAMPLES):
                re[k] += weights[i] * between[0, left + i + k]
                im[k] += weights[i] * between[1, left + i + k]
        turn, turn_step = _turn(cycles), _turn((nodes[2, j + 1] - cycles) / NODE_SAMPLES)
        for k in range(min(NODE_SAMPLES, samples - first)):
            z = reference[first + k]
            # Zero is what is not valid; NaN what the kernel could not reach, or has no height.
            if (z.real != zero or z.imag != zero) and re[k] == re[k] and turn.real == turn.real:
                product = z * complex(re[k], -im[k]) * turn
                sums[0, first + k] += product.real
                sums[1, first + k] += product.imag
                sums[2, first + k] += z.real * z.real + z.imag * z.imag
                sums[3, first + k] += re[k] * re[k] + im[k] * im[k]
                sums[4, first + k] += np.float32(1)
            turn *= turn_step
