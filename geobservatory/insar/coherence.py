"""Coherence of look cells without the bias of fringes, and what phase noise it stands for."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from geobservatory.insar.interferogram import Interferogram
from geobservatory.sentinel1.annotation import Annotation, Band

# Cells about each one whose fringe frequency is taken to be the same.
_WINDOW = 5
# Below this agreement among them the frequency is that of noise, and is not corrected for.
_AGREEMENT = 0.5
# Cells each way that are averaged to tell coherent ground from noise, and how far above the mean
# chance gets in one case of a hundred.
_AVERAGED = 3
_ONE_IN_A_HUNDRED = 2.326


def coherence(made: Interferogram) -> NDArray[np.float32]:
    """Estimate the coherence of each look cell.

    The magnitude of the cell's sample coherence; topographic fringes are gone by flattening. What a
    fringe of deformation of f cycles a cell takes away, sinc(f) in each direction, is given back,
    its frequency read from the phase steps of the cells about (after Zebker and Chen, 2005). With L
    independent looks the estimate is high by about (1 - c^2)^2 / (2 L c) (Touzi et al., 1999).

    Returns
    -------
    coherence
        (rows, cols) float32, 0 to 1; NaN where the cell is not valid.
    """
    power = np.sqrt(made.reference_power) * np.sqrt(made.secondary_power)
    with np.errstate(invalid="ignore", divide="ignore"):
        sample = np.abs(made.cross) / power
    sample /= _fringe_loss(made.cross, axis=0)
    sample /= _fringe_loss(made.cross, axis=1)
    return np.where(made.valid & (power > 0), np.minimum(sample, 1), np.nan).astype(np.float32)


def _fringe_loss(cross: NDArray[np.complex64], axis: int) -> NDArray[np.float32]:
    """Share of the coherence that a fringe along an axis leaves within a cell."""
    ahead = np.moveaxis(cross, axis, 0)
    step = np.zeros_like(ahead)
    step[:-1] = ahead[1:] * ahead[:-1].conj()
    # Of unit size, so that one bright scatterer does not speak for all.
    size = np.abs(step)
    np.divide(step, size, out=step, where=size > 0)
    del size
    mean = np.empty_like(step)
    mean.real = uniform_filter(step.real, _WINDOW, mode="nearest")
    mean.imag = uniform_filter(step.imag, _WINDOW, mode="nearest")
    loss = np.sinc(np.angle(mean) / (2 * np.pi)).astype(np.float32)
    loss[np.abs(mean) < _AGREEMENT] = 1
    return np.moveaxis(loss, 0, axis)


def effective_looks(annotation: Annotation, looks: tuple[int, int]) -> float:
    """Count the independent looks of a cell.

    Neighbouring pixels share speckle where the processed band is narrower than the sampling. With
    r(k) the autocorrelation of speckle, N pixels in a row are worth N^2 / sum (N - |k|) |r(k)|^2
    (Oliver and Quegan, 1998, section 4.7).

    Parameters
    ----------
    looks
        Azimuth and range.
    """
    azimuth = _independent(
        looks[0], annotation.azimuth_band, 1 / annotation.azimuth_time_interval_s
    )
    across = _independent(looks[1], annotation.range_band, annotation.range_sampling_rate_hz)
    return azimuth * across


def _independent(count: int, band: Band, sampling_hz: float) -> float:
    frequency = np.linspace(-0.5, 0.5, 2001)
    window = band.window + (1 - band.window) * np.cos(2 * np.pi * frequency)
    lag = np.arange(-count + 1, count)
    turns = np.exp(2j * np.pi * np.outer(lag, frequency) * band.width_hz / sampling_hz)
    correlation = (turns * window**2).sum(axis=1) / (window**2).sum()
    return float(count**2 / ((count - np.abs(lag)) * np.abs(correlation) ** 2).sum())


def phase_deviation(coherence: NDArray[np.float32], looks: float) -> NDArray[np.float32]:
    """Give the standard deviation of the phase of look cells, radians.

    The Cramér-Rao bound, sqrt((1 - c^2) / (2 L c^2)) (Rodriguez and Martin, 1992), which phase
    reaches with many looks; at most that of a phase that may be anything, pi / sqrt(3).

    Parameters
    ----------
    coherence
        Any shape, 0 to 1.
    looks
        Independent ones.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.sqrt((1 - coherence**2) / (2 * looks)) / coherence
    return np.minimum(bound, np.float32(math.pi / math.sqrt(3))).astype(np.float32)


def is_coherent(found: NDArray[np.float32], looks: float) -> NDArray[np.bool_]:
    """Tell the cells whose coherence noise would have in one case of a hundred only.

    Coherence is averaged over three by three cells first. Of ground without any, the sample
    coherence of L independent looks has the mean sqrt(pi) / 2 Gamma(L) / Gamma(L + 1/2) and the
    mean square 1 / L (Touzi et al., 1999, eqs. 12 and 15, at zero).

    Parameters
    ----------
    found
        (rows, cols), NaN where there is nothing.
    """
    looks = max(looks, 1.0)
    mean = math.sqrt(math.pi) / 2 * math.exp(math.lgamma(looks) - math.lgamma(looks + 0.5))
    spread = math.sqrt(max(1 / looks - mean**2, 0.0) / _AVERAGED**2)
    known = np.isfinite(found)
    count = uniform_filter(known.astype(np.float32), _AVERAGED, mode="constant")
    total = uniform_filter(np.where(known, found, 0), _AVERAGED, mode="constant")
    # At an edge fewer cells are averaged, and chance goes further.
    share = np.maximum(count, 1 / _AVERAGED**2)
    return known & (total / share > mean + _ONE_IN_A_HUNDRED * spread / np.sqrt(share))
