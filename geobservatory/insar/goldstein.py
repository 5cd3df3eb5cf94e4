"""Filter of interferometric phase (Goldstein and Werner, 1998), adaptive to coherence.

The spectrum Z of a patch is multiplied by S{|Z|}^a, S a mean over 3 x 3 frequencies, so that the
fringes, which are a peak, outgrow the noise, which is spread; a = 1 - coherence of the patch (Baran
et al., 2003), so that little is done where there is little noise.

A peak between two frequencies would leak, and its phase turn at the edges of the patch. The mean
fringe of a patch is therefore taken out before and put back after: what is left of a plane is one
number, and of a plane with holes a real image with a real filter, so that a plane passes unchanged.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from geobservatory.errors import InputError

# A cell with data keeps this say, so that it has a phase whatever its coherence.
_LEAST_WEIGHT = np.float32(0.05)
# Rows of patches that a thread filters at a time; between strips one is filtered twice.
_STRIP = 16
_TINY = np.float32(1e-30)


def goldstein(
    phasor: NDArray[np.complex64],
    coherence: NDArray[np.float32] | None,
    strength: float = 0.6,
    window: int = 32,
    progress: Callable[[int], None] = lambda cells: None,
) -> NDArray[np.complex64]:
    """Filter the phase of an interferogram.

    Cells count by their coherence, at least 0.05, whatever the size of their phasor; those outside
    the image count nothing. Patches overlap by half and are summed under triangles, which add to
    one; each is scaled so that its strongest frequency keeps its size.

    Parameters
    ----------
    phasor
        (rows, cols) complex64, flattened; 0 or NaN where there is no data.
    coherence
        (rows, cols) float32, NaN where it is not known. Without it all cells count the same, and
        the exponent is `strength` everywhere.
    strength
        Upper bound of the exponent, which is otherwise 1 minus the mean coherence of the patch; 0
        returns the phase as it is.
    window
        Side of a patch in cells, even, at least 8.
    progress
        Called with the number of cells done since the last call.

    Returns
    -------
    filtered
        (rows, cols) complex64 of unit size; 0 where there is no data.

    Raises
    ------
    InputError
        Shapes that differ, or a strength or window out of range.
    """
    _check(phasor, coherence, strength, window)
    rows, cols = phasor.shape
    known = np.empty((0, 0), np.float32) if coherence is None else coherence
    filtered = np.empty((rows, cols), np.complex64)
    height = _STRIP * (window // 2)
    # Threads over strips, not over the cells of each step: where cores are shared, every meeting of
    # threads costs more than the step.
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        strips = [
            pool.submit(_filter_strip, phasor, known, strength, window, k, filtered[k:][:height])
            for k in range(0, rows, height)
        ]
        for strip in as_completed(strips):
            progress(strip.result() * cols)
    return filtered


def _filter_strip(
    phasor: NDArray[np.complex64],
    coherence: NDArray[np.float32],
    strength: float,
    window: int,
    first: int,
    filtered: NDArray[np.complex64],
) -> int:
    """Filter rows from `first` on, as many as the output has; returns their number."""
    cols, half = phasor.shape[1], window // 2
    # Patches begin half a window before the image, so that every cell lies in four of them.
    count = -(-cols // half) + 1
    band = np.zeros((window, (count + 1) * half), np.complex64)
    seen = np.full(band.shape, np.nan, np.float32)
    total = np.zeros_like(band)
    place = np.arange(window, dtype=np.float32) + np.float32(0.5)
    taper = np.minimum(place, window - place) / np.float32(half)
    patches = np.empty((count, window, window), np.complex64)
    turns = np.empty((count, 2, window), np.complex64)
    exponent = np.empty(count, np.float32)
    _advance(band, seen, total, phasor, coherence, first - half)
    for top in range(-half, len(filtered), half):
        _advance(band, seen, total, phasor, coherence, first + top + half)
        _cut(band, seen, np.float32(strength), patches, turns, exponent)
        spectra = fft.fft2(patches, overwrite_x=True)
        _emphasise(spectra, exponent)
        smooth = fft.ifft2(spectra, overwrite_x=True)
        _lay(smooth, turns, taper, total)
        if top >= 0:
            _finish(total, band, filtered[top : top + half])
    return len(filtered)


def _check(
    phasor: NDArray[np.complex64],
    coherence: NDArray[np.float32] | None,
    strength: float,
    window: int,
) -> None:
    if phasor.ndim != 2 or 0 in phasor.shape:
        raise InputError(
            f"an interferogram has rows and columns, not the shape {phasor.shape}; "
            "filter one image at a time"
        )
    if coherence is not None and coherence.shape != phasor.shape:
        raise InputError(
            f"the interferogram is {phasor.shape}, its coherence {coherence.shape}; "
            "both must be of the same looks"
        )
    if not 0 <= strength <= 1:
        raise InputError(f"strength {strength} of the phase filter; it goes from 0 to 1")
    if window < 8 or window % 2:
        raise InputError(f"window {window} of the phase filter; it must be even, 8 or more")


@numba.njit(nogil=True, cache=True)
def _advance(band, seen, total, phasor, coherence, first) -> None:  # type: ignore[no-untyped-def]
    """Move the band down by half a window and weight the rows of the image that come into it."""
    rows, cols = phasor.shape
    half = band.shape[0] // 2
    for r in range(half):
        band[r] = band[r + half]
        seen[r] = seen[r + half]
        total[r] = total[r + half]
        total[r + half] = 0
        band[r + half] = 0
        seen[r + half] = np.nan
        row = first + r
        if not 0 <= row < rows:
            continue
        for col in range(cols):
            value = phasor[row, col]
            size = math.sqrt(value.real * value.real + value.imag * value.imag)
            if not 0 < size < np.inf:
                continue
            weight = np.float32(1)
            if coherence.size:
                weight = coherence[row, col]
                if not weight > 0:
                    weight = np.float32(0)
                seen[r + half, half + col] = min(weight, np.float32(1))
                weight = min(max(weight, _LEAST_WEIGHT), np.float32(1))
            scale = np.float32(weight / size)
            band[r + half, half + col] = value * scale


@numba.njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _cut(band, seen, strength, patches, turns, exponent) -> None:  # type: ignore[no-untyped-def]
    """Cut a row of patches, without their mean fringe, and choose the exponent of each."""
    count, window, _ = patches.shape
    half = window // 2
    for p in range(count):
        left = p * half
        across, down, known, cells = np.complex128(0), np.complex128(0), 0.0, 0
        for r in range(window):
            sideways, downward = np.complex64(0), np.complex64(0)
            for c in range(window):
                value = band[r, left + c]
                if c:
                    sideways += value * band[r, left + c - 1].conjugate()
                if r:
                    downward += value * band[r - 1, left + c].conjugate()
                if seen[r, left + c] >= 0:
                    known += seen[r, left + c]
                    cells += 1
            across += sideways
            down += downward
        exponent[p] = min(strength, 1 - known / cells) if cells else strength
        for axis, step in (
            (0, math.atan2(down.imag, down.real)),
            (1, math.atan2(across.imag, across.real)),
        ):
            for k in range(window):
                turns[p, axis, k] = complex(math.cos(k * step), math.sin(k * step))
        for r in range(window):
            back = turns[p, 0, r].conjugate()
            for c in range(window):
                patches[p, r, c] = band[r, left + c] * (back * turns[p, 1, c].conjugate())


@numba.njit(nogil=True, cache=True, fastmath=True)
def _emphasise(spectra, exponent) -> None:  # type: ignore[no-untyped-def]
    """Multiply each spectrum by its smoothed size, raised to the exponent; the highest is one."""
    count, window, _ = spectra.shape
    for p in range(count):
        size = np.empty((window, window), np.float32)
        wide = np.empty((window, window), np.float32)
        for r in range(window):
            for c in range(window):
                value = spectra[p, r, c]
                size[r, c] = math.sqrt(value.real * value.real + value.imag * value.imag)
        for r in range(window):
            above, below = size[r - 1], size[(r + 1) % window]
            for c in range(window):
                wide[r, c] = above[c] + size[r, c] + below[c]
        highest = np.float32(0)
        for r in range(window):
            for c in range(1, window - 1):
                size[r, c] = wide[r, c - 1] + wide[r, c] + wide[r, c + 1]
            size[r, 0] = wide[r, window - 1] + wide[r, 0] + wide[r, 1]
            size[r, window - 1] = wide[r, window - 2] + wide[r, window - 1] + wide[r, 0]
            for c in range(window):
                highest = max(highest, size[r, c])
        if highest == 0:
            continue
        scale, power = np.float32(1) / highest, exponent[p]
        for r in range(window):
            for c in range(window):
                size[r, c] = max(size[r, c] * scale, _TINY)
        _raise(size, power, spectra[p])


def _fit(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[float, ...]:
    """Fit a polynomial of degree five over 0 to 1, constant last."""
    nodes = (np.cos(np.linspace(0, math.pi, 400)) + 1) / 2
    return tuple(np.polyfit(nodes, function(nodes), 5).astype(np.float32))


# log2 (1 + x) and 2^x, to 2e-5: enough for a gain. Those of C take half of the filter's time.
_LOG2, _EXP2 = _fit(lambda x: np.log2(1 + x)), _fit(np.exp2)


@numba.njit(nogil=True, cache=True, inline="always")
def _polynomial(k, x):  # type: ignore[no-untyped-def]
    return ((((k[0] * x + k[1]) * x + k[2]) * x + k[3]) * x + k[4]) * x + k[5]


@numba.njit(nogil=True, cache=True, fastmath=True)
def _raise(size, power, spectrum) -> None:  # type: ignore[no-untyped-def]
    """Multiply a spectrum by positive normal numbers, raised to a power, in single precision."""
    one = np.float32(1)
    bits = size.view(np.int32)
    gain = np.empty(size.shape[1], np.float32)
    gain_bits = gain.view(np.int32)
    for r in range(size.shape[0]):
        # The exponent of a float is the whole part of its logarithm.
        for c in range(size.shape[1]):
            gain_bits[c] = (bits[r, c] & 0x7FFFFF) | 0x3F800000
        for c in range(size.shape[1]):
            whole = np.float32((bits[r, c] >> 23) - 127)
            gain[c] = power * (whole + _polynomial(_LOG2, gain[c] - one))
        for c in range(size.shape[1]):
            size[r, c] = math.floor(gain[c])
            gain[c] = _polynomial(_EXP2, gain[c] - size[r, c])
        for c in range(size.shape[1]):
            gain_bits[c] += np.int32(size[r, c]) << 23
        for c in range(size.shape[1]):
            spectrum[r, c] *= gain[c]


@numba.njit(nogil=True, cache=True)
def _lay(patches, turns, taper, total) -> None:  # type: ignore[no-untyped-def]
    """Add a row of patches, their fringes put back, to the sum."""
    count, window, _ = patches.shape
    half = window // 2
    for r in range(window):
        for p in range(count):
            turn = turns[p, 0, r] * taper[r]
            for c in range(window):
                total[r, p * half + c] += patches[p, r, c] * (turn * turns[p, 1, c]) * taper[c]


@numba.njit(nogil=True, cache=True)
def _finish(total, band, filtered) -> None:  # type: ignore[no-untyped-def]
    """Bring the finished rows to unit size; nothing comes to be where nothing was."""
    half = band.shape[0] // 2
    for r in range(filtered.shape[0]):
        for c in range(filtered.shape[1]):
            value = total[r, half + c]
            if band[r, half + c] == 0:
                filtered[r, c] = 0
                continue
            if value == 0:
                value = band[r, half + c]
            size = math.sqrt(value.real * value.real + value.imag * value.imag)
            filtered[r, c] = value * (np.float32(1) / size)
