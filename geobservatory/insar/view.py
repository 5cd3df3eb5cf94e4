"""A burst as the geometry sees it: lines and samples as times and ranges along a path."""

from dataclasses import dataclass

import numpy as np

from geobservatory.insar.track import Track, make_track
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT, Annotation, Burst
from geobservatory.sentinel1.orbit import Orbit

# The other image sees the same ground within this time, and a little beyond the burst.
_MARGIN_S = 5.0


@dataclass(frozen=True)
class BurstView:
    """Where the lines and samples of a burst lie.

    Attributes
    ----------
    track
        The satellite's path.
    start_s
        Time of the first line after the track's epoch, and `line_s` from line to line.
    near_m
        Slant range of the first sample, and `sample_m` from sample to sample.
    lines, samples
        Size of the burst.
    wavelength_m
        Of the radar.
    """

    track: Track
    start_s: float
    line_s: float
    near_m: float
    sample_m: float
    lines: int
    samples: int
    wavelength_m: float


def burst_view(annotation: Annotation, burst: Burst, orbit: Orbit | None = None) -> BurstView:
    """View a burst along an orbit, the annotation's own where none is given.

    Raises
    ------
    InputError
        If the orbit does not cover the burst.
    """
    orbit = orbit or annotation.orbit
    span_s = annotation.lines_per_burst * annotation.azimuth_time_interval_s
    stop = burst.azimuth_time + np.timedelta64(round(span_s * 1e9), "ns")
    return BurstView(
        track=make_track(orbit, burst.azimuth_time, stop, _MARGIN_S),
        start_s=float(orbit.seconds(burst.azimuth_time)),
        line_s=annotation.azimuth_time_interval_s,
        near_m=annotation.slant_range_time_s * SPEED_OF_LIGHT / 2,
        sample_m=SPEED_OF_LIGHT / 2 / annotation.range_sampling_rate_hz,
        lines=annotation.lines_per_burst,
        samples=annotation.samples_per_burst,
        wavelength_m=annotation.wavelength_m,
    )
