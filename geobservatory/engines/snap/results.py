"""What SNAP left, in BEAM-DIMAP: the bands that matter, their units and signs.

SNAP multiplies the reference with the conjugate of the secondary, so that its phase grows where the
ground moved away; PhaseToDisplacement gives minus that, metres toward the satellite. Both are
handed on: the map is refused where they contradict each other.
"""

from pathlib import Path

import numpy as np

from geobservatory.engines.left import Left, Raster, scale_of
from geobservatory.errors import InputError
from geobservatory.products.formats.dimap import Band, Dimap, read_dimap

# SNAP marks nothing by zero in these bands, often without saying so.
_NOTHING = 0.0


def interferogram_bands(product: Dimap) -> tuple[str, str, str]:
    """Name the two parts of the interferogram and the coherence.

    Raises
    ------
    InputError
        If one is not there.
    """
    return _named(product, "i_ifg"), _named(product, "q_ifg"), _named(product, "coh")


def unwrapped_band(product: Dimap) -> str:
    """Name the unwrapped phase; SNAP looks for a band that begins with ``unw``, and so do we."""
    return _named(product, "unw")


def read_left(folder: Path, unwrapped: bool) -> Left:
    """Read what the last graph left in a folder.

    Raises
    ------
    InputError
        If a band is not there, or lies nowhere on a map.
    """
    smooth = read_dimap(folder / "smooth.dim")
    real, imaginary, found = (smooth.bands[one] for one in interferogram_bands(smooth))
    phasor = real.read() + 1j * imaginary.read()
    phasor[phasor == _NOTHING] = np.nan
    coherence = found.read()
    coherence[np.isnan(phasor)] = np.nan
    turns = displacement = None
    if unwrapped:
        product = read_dimap(folder / "turns.dim")
        band = product.bands[unwrapped_band(product)]
        turns = _raster(band, _seen(band), scale_of("phase", "radian", "away"))
        moved = read_dimap(folder / "displacement.dim").bands["displacement"]
        displacement = _raster(moved, _seen(moved), scale_of("motion", "m", "toward"))
    return Left(
        wrapped=_raster(real, phasor, scale_of("phase", "radian", "away")),
        unwrapped=turns,
        displacement=displacement,
        coherence=_raster(found, coherence, 1.0),
        # The root of the product of both images: the nearest to an amplitude that is at hand.
        amplitude=_raster(real, np.sqrt(np.abs(phasor)), 1.0),
    )


def _named(product: Dimap, beginning: str) -> str:
    for name in product.bands:
        if name.lower().startswith(beginning):
            return name
    raise InputError(
        f"{product.name}: SNAP left no band that begins with {beginning}; there is "
        f"{', '.join(product.bands)}"
    )


def _seen(band: Band) -> np.ndarray:
    values = band.read().astype(np.float32)
    values[values == _NOTHING] = np.nan
    return values


def _raster(band: Band, values: np.ndarray, scale: float) -> Raster:
    if band.georeference is None:
        raise InputError(f"{band.path}: lies nowhere on a map; SNAP left it in radar geometry")
    return Raster(values, band.georeference.crs, band.georeference.transform, scale, band.path.name)
