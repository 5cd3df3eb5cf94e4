"""Calibration and noise vectors of a simulated image."""

import numpy as np
from numpy.typing import NDArray

from geobservatory.sandbox.channel import Channel
from geobservatory.sandbox.image import LEVEL_DN
from geobservatory.sandbox.instrument import SAMPLING_HZ
from geobservatory.sandbox.xml_writer import Items, document
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

# Root of beta nought is the digital number over this, as in real products.
_BETA = 237.0


def calibration_xml(channel: Channel) -> bytes:
    """Write the calibration vectors: one beta nought all over, sigma nought by the ellipsoid."""
    angle = np.arccos(_cosine(channel))
    pixels = _pixels(channel)
    beta = np.full(len(pixels), _BETA)
    vectors = [
        {
            "azimuthTime": time,
            "line": k * channel.window.swath.lines,
            "pixel": pixels,
            "sigmaNought": beta / np.sqrt(np.sin(angle)),
            "betaNought": beta,
            "gamma": beta / np.sqrt(np.tan(angle)),
            "dn": beta,
        }
        for k, time in enumerate([*channel.starts, channel.span[1]])
    ]
    content = {
        "adsHeader": channel.header,
        "calibrationInformation": {"absoluteCalibrationConstant": 1.0},
        "calibrationVectorList": Items("calibrationVector", vectors),
    }
    return document("calibration", content)


def noise_xml(channel: Channel) -> bytes:
    """Write the noise vectors: the power that was put in, the same everywhere."""
    power = (LEVEL_DN * 10 ** (channel.plan.scenario.noise_db / 20)) ** 2
    pixels = _pixels(channel)
    ranges = [
        {
            "azimuthTime": time,
            "line": k * channel.window.swath.lines,
            "pixel": pixels,
            "noiseRangeLut": np.full(len(pixels), power),
        }
        for k, time in enumerate([*channel.starts, channel.span[1]])
    ]
    last = channel.lines - 1
    along = {
        "swath": channel.window.swath.name,
        "firstAzimuthLine": 0,
        "firstRangeSample": 0,
        "lastAzimuthLine": last,
        "lastRangeSample": channel.window.samples - 1,
        "line": np.array([0, last]),
        "noiseAzimuthLut": np.ones(2),
    }
    content = {
        "adsHeader": channel.header,
        "noiseRangeVectorList": Items("noiseRangeVector", ranges),
        "noiseAzimuthVectorList": Items("noiseAzimuthVector", [along]),
    }
    return document("noise", content)


def _pixels(channel: Channel) -> NDArray[np.int64]:
    return np.unique(
        np.append(np.arange(0, channel.window.samples, 40), channel.window.samples - 1)
    )


def _cosine(channel: Channel) -> NDArray[np.float64]:
    """Cosine of the incidence angle on a sphere, by the law of cosines."""
    distance = (channel.window.near_range_s + _pixels(channel) / SAMPLING_HZ) * SPEED_OF_LIGHT / 2
    far, earth = channel.shot.path.radius_m, 6.371e6
    return np.asarray((far**2 - earth**2 - distance**2) / (2 * earth * distance))
