"""Scatterers seen by the radar: the sum of their impulse responses, each at its exact place.

Scatterers lie on the ground on a jittered lattice that follows the nominal path (so many a radar
sample on flat ground); place and complex amplitude come from a hash of their lattice indices, so
every acquisition, burst and swath sees the same ones, in any order, without storing them. Each
adds to the image its amplitude times exp(-i 4 pi R / lambda), R its range at zero Doppler, times
an impulse response that is separable in range and azimuth: the transform of the Hamming window
over the processed band, cut by a Kaiser window at eight samples, about the Doppler frequency at
which the antenna saw it. That is a phase-preserving processor's response (Raney et al., 1994), so
a burst overlap holds the same ground from two squints, with one phase at the peak.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.ellipsoid import to_ecef
from geobservatory.insar.geo2rdr import zero_doppler
from geobservatory.insar.track import state
from geobservatory.sandbox.instrument import LINE_S, SAMPLE_M, WAVELENGTH_M

HALF = 8
# Steps of the table of the impulse response within one sample.
_FINE = 512
# Scatterers a sample of flat ground: across range two lattice columns for three samples.
PER_SAMPLE = 1.5
_BLOCK = 128


def response(bandwidth: float, window: float) -> NDArray[np.float32]:
    """Tabulate the impulse response of one axis.

    Parameters
    ----------
    bandwidth
        Processed band over the sampling rate.
    window
        Coefficient of the Hamming window over the band.

    Returns
    -------
    table
        (_FINE + 1, 2 HALF) float32: for each fraction of a sample past a sample, the response at
        the HALF samples up to it and the HALF after. Its square sums to one.
    """
    fraction = np.arange(_FINE + 1)[:, None] / _FINE
    x = np.arange(-HALF + 1, HALF + 1)[None, :] - fraction
    b = bandwidth * x
    h = window * np.sinc(b) + (1 - window) / 2 * (np.sinc(b - 1) + np.sinc(b + 1))
    h *= np.i0(5.0 * np.sqrt(np.maximum(1 - (x / HALF) ** 2, 0))) / np.i0(5.0)
    return np.asarray(h / np.sqrt((h[0] ** 2).sum()), np.float32)


@dataclass(frozen=True)
class Lattice:
    """Where scatterers may be: rows a line apart along the nominal path, columns in slant range.

    Attributes
    ----------
    latitude, longitude
        (n, m) radians, on the ellipsoid, of every 32nd row and 64th column.
    first_row, first_col
        Indices of the first of them; those of scatterers count from the pass's own origin.
    """

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    first_row: int
    first_col: int


ROW_STEP, COL_STEP = 32, 64


@numba.njit(cache=True, inline="always")
def _hash(seed, stream, row, col):  # type: ignore[no-untyped-def]
    """64 random bits of four whole numbers (splitmix64, Steele et al., 2014, chained)."""
    z = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    for part in (stream, row, col):
        z = (z ^ np.uint64(part)) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z


@numba.njit(cache=True, inline="always")
def _normal(bits):  # type: ignore[no-untyped-def]
    """Complex normal number of unit variance (Box and Muller, 1958)."""
    u = (np.float64(bits >> np.uint64(32)) + 0.5) / 4294967296.0
    v = np.float64(bits & np.uint64(0xFFFFFFFF)) / 4294967296.0
    size, angle = math.sqrt(-math.log(u)), 2 * math.pi * v
    return size * math.cos(angle), size * math.sin(angle)


@numba.njit(cache=True, inline="always")
def _add(re, im, line, sample, amp_re, amp_im, cycles_a_line, along, across):  # type: ignore[no-untyped-def]
    """Add one impulse response at a fractional line and sample of a block."""
    row0, col0 = math.floor(line), math.floor(sample)
    k_row = along[int((line - row0) * _FINE + 0.5)]
    k_col = across[int((sample - col0) * _FINE + 0.5)]
    row0, col0 = row0 - HALF + 1, col0 - HALF + 1
    if col0 < 0 or col0 + 2 * HALF > re.shape[1]:
        return
    # The phase turns with the Doppler frequency from line to line, nought at the peak.
    turn = 2 * math.pi * cycles_a_line
    angle = turn * (row0 - line)
    cos, sin = math.cos(angle), math.sin(angle)
    step_cos, step_sin = math.cos(turn), math.sin(turn)
    for i in range(2 * HALF):
        row = row0 + i
        if 0 <= row < re.shape[0]:
            w_re = np.float32(k_row[i] * (amp_re * cos - amp_im * sin))
            w_im = np.float32(k_row[i] * (amp_re * sin + amp_im * cos))
            for j in range(2 * HALF):
                re[row, col0 + j] += w_re * k_col[j]
                im[row, col0 + j] += w_im * k_col[j]
        cos, sin = cos * step_cos - sin * step_sin, cos * step_sin + sin * step_cos


@numba.njit(cache=True, inline="always")
def _on_lattice(grid, u, v):  # type: ignore[no-untyped-def]
    """Bilinear value of a grid at a fractional row and column; level beyond its last cells."""
    i = min(max(int(u), 0), grid.shape[0] - 2)
    j = min(max(int(v), 0), grid.shape[1] - 2)
    u, v = u - i, v - j
    return (1 - u) * ((1 - v) * grid[i, j] + v * grid[i, j + 1]) + u * (
        (1 - v) * grid[i + 1, j] + v * grid[i + 1, j + 1]
    )


@numba.njit(cache=True, inline="always")
def _layer(layers, p, q, y, x, k):  # type: ignore[no-untyped-def]
    """Bilinear value of layer k in cell (p, q) of the world."""
    return (1 - y) * ((1 - x) * layers[p, q, k] + x * layers[p, q + 1, k]) + y * (
        (1 - x) * layers[p + 1, q, k] + x * layers[p + 1, q + 1, k]
    )


@numba.njit(cache=True, inline="always")
def _facing(layers, p, q, y, x, cell_m, cos_lat, east, north, up):  # type: ignore[no-untyped-def]
    """Cosine of the local incidence angle, for a line of sight (east, north, up)."""
    low = (1 - y) * (layers[p, q + 1, 0] - layers[p, q, 0])
    high = y * (layers[p + 1, q + 1, 0] - layers[p + 1, q, 0])
    slope_east = (low + high) / (cell_m * cos_lat)
    left = (1 - x) * (layers[p + 1, q, 0] - layers[p, q, 0])
    right = x * (layers[p + 1, q + 1, 0] - layers[p, q + 1, 0])
    slope_north = (left + right) / cell_m
    return (up - slope_east * east - slope_north * north) / math.sqrt(
        1 + slope_east**2 + slope_north**2
    )


@numba.njit(cache=True, inline="always")
def _echo(  # type: ignore[no-untyped-def]
    lat, lon, world, delay_layer, after_event, orbit, guess
):
    """See a place with the radar: time, range, path delay, amplitude, temporal coherence.

    The time is NaN for places outside the world, out of sight, or on ground that looks away.
    """
    layers, west, south, grid_step = world
    cubics, start, step = orbit
    nothing = math.nan, 0.0, 0.0, 0.0, 0.0
    y, x = (math.degrees(lat) - south) / grid_step, (math.degrees(lon) - west) / grid_step
    if not (0 <= y < layers.shape[0] - 1 and 0 <= x < layers.shape[1] - 1):
        return nothing
    p, q = int(y), int(x)
    y, x = y - p, x - q
    px, py, pz = to_ecef(lat, lon, _layer(layers, p, q, y, x, 0))
    sin_lat, cos_lat = math.sin(lat), math.cos(lat)
    sin_lon, cos_lon = math.sin(lon), math.cos(lon)
    if after_event:
        east = _layer(layers, p, q, y, x, 1)
        north = _layer(layers, p, q, y, x, 2)
        up = _layer(layers, p, q, y, x, 3)
        px += -sin_lon * east - sin_lat * cos_lon * north + cos_lat * cos_lon * up
        py += cos_lon * east - sin_lat * sin_lon * north + cos_lat * sin_lon * up
        pz += cos_lat * north + sin_lat * up
    time, distance = zero_doppler(cubics, start, step, px, py, pz, guess)
    if time != time:
        return nothing
    sx, sy, sz = state(cubics, start, step, time)[:3]
    lx, ly, lz = (sx - px) / distance, (sy - py) / distance, (sz - pz) / distance
    outward = cos_lon * lx + sin_lon * ly
    facing = _facing(
        layers, p, q, y, x, grid_step * 111_195.0, cos_lat,
        -sin_lon * lx + cos_lon * ly, -sin_lat * outward + cos_lat * lz,
        cos_lat * outward + sin_lat * lz,
    )  # fmt: skip
    if facing <= 0:
        return nothing
    return (
        time,
        distance,
        _layer(layers, p, q, y, x, delay_layer),
        _layer(layers, p, q, y, x, 5) * facing,
        _layer(layers, p, q, y, x, 4),
    )


@numba.njit(cache=True, fastmath={"contract", "nsz", "reassoc"})
def _add_noise(  # type: ignore[no-untyped-def]
    re, im, first_line, doppler, along, across, seed, stream, level
) -> None:
    """Add white noise that has passed through the same filters as the echoes."""
    lines, samples = re.shape
    white_re, white_im = np.empty((2, samples), np.float32)
    red_re, red_im = np.empty((2, samples), np.float32)
    cos, sin, step_cos, step_sin = np.empty((4, samples), np.float32)
    for row in range(-HALF, lines + HALF):
        for col in range(samples):
            n_re, n_im = _normal(_hash(seed, stream, row + first_line, col))
            white_re[col], white_im[col] = level * n_re, level * n_im
        red_re[:], red_im[:] = 0, 0
        for k in range(2 * HALF):
            shift = k - HALF + 1
            low, high = max(-shift, 0), min(samples - shift, samples)
            for col in range(low, high):
                red_re[col + shift] += across[k] * white_re[col]
                red_im[col + shift] += across[k] * white_im[col]
        eta = (row + first_line) * LINE_S
        for col in range(samples):
            frequency = doppler[0, col] + doppler[1, col] * (eta - doppler[2, col])
            turn = 2 * math.pi * frequency * LINE_S
            step_cos[col], step_sin[col] = math.cos(turn), math.sin(turn)
            cos[col], sin[col] = math.cos(turn * (1 - HALF)), math.sin(turn * (1 - HALF))
        for k in range(2 * HALF):
            target = row + k - HALF + 1
            if 0 <= target < lines:
                for col in range(samples):
                    re[target, col] += along[k] * (red_re[col] * cos[col] - red_im[col] * sin[col])
                    im[target, col] += along[k] * (red_re[col] * sin[col] + red_im[col] * cos[col])
            for col in range(samples):
                turned = cos[col] * step_cos[col] - sin[col] * step_sin[col]
                sin[col] = cos[col] * step_sin[col] + sin[col] * step_cos[col]
                cos[col] = turned


@numba.njit(parallel=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def draw(  # type: ignore[no-untyped-def]
    re, im, first_line, orbit, burst_start, near_m, doppler, filters, lattice, world,
    delay_layer, after_event, streams, level, noise, timing,
) -> None:  # fmt: skip
    """Draw the echoes of the ground, and thermal noise, into lines of a burst.

    Parameters
    ----------
    re, im
        (lines, samples) float32, added to.
    first_line
        Line of the burst that row 0 of them is.
    orbit
        (cubics, start_s, step_s) of the acquisition's track.
    burst_start, near_m
        Time of the burst's first line after the track's epoch; slant range of the first sample.
    doppler
        (3, samples): centroid Hz, rate Hz/s, reference time in seconds after the first line.
    filters
        Impulse responses along azimuth and range, of `response`.
    lattice
        (latitude, longitude, first_row, first_col, columns, lines_to_rows, slack): the grids of
        `Lattice`, number of its columns, what added to a line of the burst gives the row that is
        seen there, and by how many rows that may be wrong.
    world
        (layers, west, south, step), degrees.
    delay_layer, after_event
        Layer of this acquisition's delay; whether the ground has moved.
    streams
        (seed, own, noise): what scatterers share between dates, have to themselves, and the noise.
    level, noise
        Amplitudes of ground of unit brightness, and of the noise.
    timing
        (azimuth_s, range_m): how much too late and too far the image is registered.
    """
    samples = re.shape[1]
    along, across = filters
    lat_grid, lon_grid, first_row, first_col, columns, lines_to_rows, slack = lattice
    seed, own_stream, noise_stream = streams
    scale = level / math.sqrt(PER_SAMPLE)
    blocks = (re.shape[0] + _BLOCK - 1) // _BLOCK
    for block in numba.prange(blocks):
        top, stop = block * _BLOCK, min((block + 1) * _BLOCK, re.shape[0])
        re_block, im_block = re[top:stop], im[top:stop]
        offset = first_line + top
        low = math.floor(offset + lines_to_rows) - slack - HALF
        high = math.ceil(first_line + stop + lines_to_rows) + slack + HALF
        for row in range(low, high):
            guess = burst_start + (row - lines_to_rows) * LINE_S
            for col in range(first_col, first_col + columns):
                bits = _hash(seed, 0, row, col)
                # Within half a cell, so that no sample has many more of them than another.
                down = float(bits & np.uint64(0xFFFF)) / 131072.0
                aside = float((bits >> np.uint64(16)) & np.uint64(0xFFFF)) / 131072.0
                u = (row - first_row + down) / ROW_STEP
                v = (col - first_col + aside) / COL_STEP
                lat, lon = _on_lattice(lat_grid, u, v), _on_lattice(lon_grid, u, v)
                time, distance, delay, size, coherence = _echo(
                    lat, lon, world, delay_layer, after_event, orbit, guess
                )
                if time != time:
                    continue
                guess = time
                line = (time + timing[0] - burst_start) / LINE_S - offset
                sample = (distance + timing[1] - near_m) / SAMPLE_M
                if not (-HALF < line < stop - top + HALF and HALF < sample < samples - HALF - 1):
                    continue
                shared_re, shared_im = _normal(_hash(seed, 1, row, col))
                own_re, own_im = _normal(_hash(seed, own_stream, row, col))
                a = scale * size * math.sqrt(coherence)
                b = scale * size * math.sqrt(1 - coherence)
                amp_re, amp_im = a * shared_re + b * own_re, a * shared_im + b * own_im
                cycles = -2 * (distance + delay) / WAVELENGTH_M
                angle = 2 * math.pi * (cycles - math.floor(cycles))
                cos, sin = math.cos(angle), math.sin(angle)
                at = int(sample + 0.5)
                eta = (line + offset) * LINE_S
                frequency = doppler[0, at] + doppler[1, at] * (eta - doppler[2, at])
                _add(
                    re_block, im_block, line, sample,
                    amp_re * cos - amp_im * sin, amp_re * sin + amp_im * cos,
                    frequency * LINE_S, along, across,
                )  # fmt: skip
        _add_noise(
            re_block, im_block, offset, doppler, along[0], across[0], seed, noise_stream, noise
        )
