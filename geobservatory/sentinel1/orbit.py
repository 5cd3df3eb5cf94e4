"""Where the satellite was: state vectors, and the Lagrange interpolation between them.

Lagrange polynomials through eight vectors err by some 0.01 mm on restituted orbits thinned to 20 s,
where the cubic Hermite polynomial through position and velocity errs by 4 mm (tests/test_20_orbit).
"""

import gzip
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.sentinel1.storage import DAMAGE
from geobservatory.sentinel1.xml import MAX_BYTES, Element, parse

ORDER = 8


@dataclass(frozen=True)
class Orbit:
    """State vectors of one pass, Earth-fixed (ITRF).

    Attributes
    ----------
    epoch
        Time zero, datetime64[ns] UTC.
    times_s
        (n,) seconds after the epoch, increasing.
    positions_m, velocities_m_s
        (n, 3).
    source
        ``annotation``, ``RESORB`` or ``POEORB``.
    """

    epoch: np.datetime64
    times_s: NDArray[np.float64]
    positions_m: NDArray[np.float64]
    velocities_m_s: NDArray[np.float64]
    source: str

    def __post_init__(self) -> None:
        n = len(self.times_s)
        if n < 4:
            raise InputError(f"an orbit of {n} state vectors cannot be interpolated; 4 are needed")
        if self.positions_m.shape != (n, 3) or self.velocities_m_s.shape != (n, 3):
            raise InputError(f"an orbit of {n} times needs arrays of shape ({n}, 3)")
        if not (np.diff(self.times_s) > 0).all():
            raise InputError(f"the {self.source} state vectors are not in order of time")

    @classmethod
    def from_vectors(
        cls,
        times: NDArray[np.datetime64],
        positions_m: NDArray[np.float64],
        velocities_m_s: NDArray[np.float64],
        source: str,
    ) -> Self:
        """Make an orbit of state vectors at datetime64[ns] times; a repeated time is taken once."""
        times, first = np.unique(np.asarray(times, "datetime64[ns]"), return_index=True)
        epoch = times[0] if len(times) else np.datetime64(0, "ns")
        seconds = np.asarray((times - epoch).astype(np.int64) * 1e-9, np.float64)
        return cls(epoch, seconds, positions_m[first], velocities_m_s[first], source)

    def seconds(self, times: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.float64]:
        """Turn datetime64 times into seconds after the epoch."""
        elapsed = np.asarray(times, "datetime64[ns]") - self.epoch
        return np.asarray(elapsed.astype(np.int64) * 1e-9)

    def require(self, time_s: float) -> None:
        """Raise `InputError` for a time outside the vectors: nothing is extrapolated."""
        if not self.times_s[0] <= time_s <= self.times_s[-1]:
            at = self.epoch + np.timedelta64(round(time_s * 1e9), "ns")
            span = self.epoch + (self.times_s[[0, -1]] * 1e9).astype("timedelta64[ns]")
            raise InputError(
                f"the {self.source} orbit covers {span[0]} to {span[1]}, not {at}; "
                "an orbit file of that day is needed"
            )

    def interpolate(
        self, time_s: NDArray[np.float64] | float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position and velocity at times.

        Parameters
        ----------
        time_s
            (...,) seconds after the epoch.

        Returns
        -------
        positions_m, velocities_m_s
            (..., 3); each interpolated by its own Lagrange polynomial through the `ORDER` nearest
            vectors (Berrut and Trefethen, 2004, eq. 3.3).

        Raises
        ------
        InputError
            If a time is outside the vectors.
        """
        time_s = np.asarray(time_s, dtype=np.float64)
        flat = time_s.ravel()
        if not np.isfinite(flat).all():
            raise InputError("an orbit is asked for a time that is not finite")
        if flat.size:
            self.require(float(flat.min()))
            self.require(float(flat.max()))
        order = min(ORDER, len(self.times_s))
        first = np.searchsorted(self.times_s, flat) - order // 2
        first = np.clip(first, 0, len(self.times_s) - order)
        index = first[:, None] + np.arange(order)
        nodes = self.times_s[index]
        gaps = flat[:, None, None] - nodes[:, None, :]
        spans = nodes[:, :, None] - nodes[:, None, :]
        own = np.eye(order, dtype=bool)
        weights = np.where(own, 1.0, gaps).prod(axis=2) / np.where(own, 1.0, spans).prod(axis=2)
        position = np.einsum("tn,tnk->tk", weights, self.positions_m[index])
        velocity = np.einsum("tn,tnk->tk", weights, self.velocities_m_s[index])
        shape = (*time_s.shape, 3)
        return position.reshape(shape), velocity.reshape(shape)


def join(orbits: Sequence[Orbit]) -> Orbit:
    """Join the state vectors of the slices of a pass: of each, those after the one before ends."""
    first, *rest = sorted(orbits, key=lambda one: one.epoch + _ns(one.times_s[0]))
    for other in rest:
        times = other.times_s + first.seconds(other.epoch)
        later = times > first.times_s[-1]
        first = replace(
            first,
            times_s=np.concatenate([first.times_s, times[later]]),
            positions_m=np.concatenate([first.positions_m, other.positions_m[later]]),
            velocities_m_s=np.concatenate([first.velocities_m_s, other.velocities_m_s[later]]),
        )
    return first


def _ns(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(float(seconds) * 1e9), "ns")


def read_eof(path: Path) -> Orbit:
    """Read an orbit file (EOF; POEORB or RESORB, plain, gzipped or the one file of a zip).

    Raises
    ------
    InputError
        If it cannot be read, is cut short, or is not Earth-fixed.
    """
    content = unpacked_eof(path)
    # Blank lines before the declaration have broken other readers.
    root = parse(content.strip(), str(path))
    kind = root.text("Earth_Explorer_Header/Fixed_Header/File_Type")
    vectors = root.all("Data_Block/List_of_OSVs/OSV")
    frame = root.text("Earth_Explorer_Header/Variable_Header/Ref_Frame")
    if frame != "EARTH_FIXED":
        raise InputError(f"{path}: its frame is {frame}; EARTH_FIXED is needed")
    count = root.one("Data_Block/List_of_OSVs").attribute("count")
    if count is not None and count != str(len(vectors)):
        raise InputError(f"{path}: holds {len(vectors)} of {count} state vectors; fetch it again")
    times = np.array([_eof_time(vector) for vector in vectors], "datetime64[ns]")
    return Orbit.from_vectors(
        times,
        np.array([[v.number(axis) for axis in ("X", "Y", "Z")] for v in vectors]).reshape(-1, 3),
        np.array([[v.number(axis) for axis in ("VX", "VY", "VZ")] for v in vectors]).reshape(-1, 3),
        "POEORB" if "POEORB" in kind else "RESORB" if "RESORB" in kind else kind,
    )


def unpacked_eof(path: Path) -> bytes:
    """Read an orbit file as it was before it was packed.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                content = file.read(MAX_BYTES + 1)
        elif content[:2] == b"PK":
            with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as packed:
                content = packed.read(MAX_BYTES + 1)
    except (*DAMAGE, IndexError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return content


def _eof_time(vector: Element) -> np.datetime64:
    node = vector.one("UTC")
    node._node.text = node.text().removeprefix("UTC=")
    return node.time()
