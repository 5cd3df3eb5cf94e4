"""Colours over shaded relief."""

import math

import numpy as np
from matplotlib.colors import Colormap, Normalize, to_rgb
from numpy.typing import NDArray

# Light from the north-west, 45° high, as maps have it.
_AZIMUTH, _ELEVATION = math.radians(315), math.radians(45)
# Places without data: darker than white, the colour of no motion, and without a hue.
NOTHING = "#b4b9bc"
# Slope that the steeper places are drawn with, whatever they have.
_STEEP = 0.55


def hillshade(height_m: NDArray[np.float32], step_m: float) -> NDArray[np.float32]:
    """Shade relief as a matt surface lit from the north-west (Horn, 1981, Proc. IEEE 69).

    Parameters
    ----------
    height_m
        (rows, cols), rows from the north; NaN where unknown.
    step_m
        Edge of a cell, metres.

    Returns
    -------
    light
        (rows, cols), 1 on level ground, more toward the light, less away from it; NaN where
        unknown. Heights are exaggerated or flattened so that the steeper tenth has one steepness.
    """
    if min(height_m.shape) < 2:
        return np.where(np.isfinite(height_m), np.float32(1), np.float32(np.nan))
    south, east = np.gradient(height_m, step_m)
    slope = np.hypot(south, east)
    known = slope[np.isfinite(slope)]
    steep = float(np.percentile(known, 90)) if known.size else 0.0
    # Of nearly level ground the noise of the heights is not made into mountains.
    stretch = _STEEP / max(steep, 0.02)
    toward = (math.sin(_AZIMUTH) * -east + math.cos(_AZIMUTH) * south) * stretch
    lit = math.sin(_ELEVATION) + math.cos(_ELEVATION) * toward
    light = np.maximum(lit, 0) / np.sqrt(1 + (slope * stretch) ** 2) / math.sin(_ELEVATION)
    return light.astype(np.float32)


def brightness(amplitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch the logarithm of amplitude from its 2nd to its 98th percentile to 0 to 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(amplitude > 0, np.log10(amplitude), np.nan)
    known = level[np.isfinite(level)]
    if not known.size:
        return np.full(amplitude.shape, np.nan, np.float32)
    low, high = np.percentile(known, (2, 98))
    return np.clip((level - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def tint(
    values: NDArray[np.float32],
    colours: Colormap,
    norm: Normalize,
    light: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """Colour values, darker and brighter with the light; grey relief where there are no values.

    Parameters
    ----------
    values
        (rows, cols), NaN where there is nothing.
    light
        Of that shape, 1 where colours stay as they are. None leaves all as they are.

    Returns
    -------
    rgba
        (rows, cols, 4); transparent where there is neither value nor light.
    """
    known = np.isfinite(values)
    rgba = colours(norm(np.where(known, values, 0)), bytes=True)
    rgba[~known] = 0
    if light is None:
        return rgba
    lit = np.where(np.isfinite(light), light, 1)
    factor = np.clip(0.42 + 0.58 * lit, 0, 1.25)[..., None]
    rgba[..., :3] = np.clip(rgba[..., :3] * factor, 0, 255).astype(np.uint8)
    bare = ~known & np.isfinite(light)
    plain = np.array(to_rgb(NOTHING)) * 255
    rgba[bare, :3] = np.clip(plain * (0.65 + 0.35 * lit[bare, None]), 0, 255).astype(np.uint8)
    rgba[bare, 3] = 255
    return rgba
