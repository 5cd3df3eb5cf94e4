"""The annotation of a simulated swath: what the processor would have said of it.

Element names and their order are those of the Sentinel-1 Product Specification,
S1-RS-MDA-52-7441. What only a real instrument has (replicas, raw data statistics, antenna pattern)
is left out or empty.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geobservatory.insar.dem import Dem
from geobservatory.insar.ground import ground
from geobservatory.insar.look import look
from geobservatory.insar.track import make_track
from geobservatory.sandbox.doppler import DOPPLER_ORIGIN_S, Doppler
from geobservatory.sandbox.image import LEVEL_DN, burst_doppler
from geobservatory.sandbox.instrument import FREQUENCY_HZ, LINE_S, SAMPLE_M, SAMPLING_HZ
from geobservatory.sandbox.plan import Plan, Shot, Window
from geobservatory.sandbox.world import HEIGHT, STEP
from geobservatory.sandbox.xml_writer import Items, document
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

_GRID_COLUMNS = 21
# Root of beta nought is the digital number over this, as in real products.
_BETA = 237.0


@dataclass(frozen=True)
class Channel:
    """One swath of one date in one polarisation, and its number among the product's."""

    plan: Plan
    shot: Shot
    window: Window
    polarisation: str
    number: int

    @property
    def starts(self) -> list[np.datetime64]:
        """First line of each burst the product holds."""
        return [
            self.plan.burst_time(self.shot, self.window, burst)
            for burst in self.plan.numbers(self.shot)
        ]

    @property
    def span(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last line."""
        last = self.window.swath.lines - 1
        return self.starts[0], self.starts[-1] + np.timedelta64(round(last * LINE_S * 1e6), "us")

    @property
    def lines(self) -> int:
        """Lines of the image."""
        return self.window.swath.lines * len(self.starts)

    @property
    def stem(self) -> str:
        """Name of its files, without ending."""
        start, stop = (str(one.astype("datetime64[s]")).replace("-", "") for one in self.span)
        start, stop = (one.replace(":", "").lower() for one in (start, stop))
        return (
            f"{self.plan.passing.mission.lower()}-{self.window.swath.name.lower()}-slc-"
            f"{self.polarisation.lower()}-{start}-{stop}-{self.shot.absolute_orbit:06d}-"
            f"{data_take(self.shot):06x}-{self.number:03d}"
        )

    @property
    def header(self) -> dict[str, Any]:
        """What every file of the channel begins with."""
        start, stop = self.span
        return {
            "missionId": self.plan.passing.mission,
            "productType": "SLC",
            "polarisation": self.polarisation,
            "mode": "IW",
            "swath": self.window.swath.name,
            "startTime": start,
            "stopTime": stop,
            "absoluteOrbitNumber": self.shot.absolute_orbit,
            "missionDataTakeId": data_take(self.shot),
            "imageNumber": f"{self.number:03d}",
        }


def data_take(shot: Shot) -> int:
    """Give a data take number that grows with the orbits as the real ones do."""
    return round(shot.absolute_orbit * 7.8875)


def annotation_xml(channel: Channel, byte_offset: int) -> bytes:
    """Write the annotation.

    Parameters
    ----------
    channel
        What is described.
    byte_offset
        Where the first pixel lies in the measurement file.
    """
    plan, shot, window = channel.plan, channel.shot, channel.window
    swath, bursts = window.swath, plan.numbers(shot)
    start, stop = channel.span
    orbit = shot.path.orbit(
        start - np.timedelta64(60, "s"), stop + np.timedelta64(60, "s"), source="annotation"
    )
    dopplers = [burst_doppler(plan, shot, window, burst) for burst in bursts]
    half = np.timedelta64(round(swath.lines * LINE_S / 2 * 1e6), "us")
    middles = [one + half for one in channel.starts]
    grid, incidence = _geolocation(channel)
    content = {
        "adsHeader": channel.header,
        "generalAnnotation": {
            "productInformation": {
                "pass": plan.passing.direction.capitalize(),
                "timelinessCategory": "NRT-3h",
                "platformHeading": _heading(channel),
                "projection": "Slant Range",
                "rangeSamplingRate": SAMPLING_HZ,
                "radarFrequency": FREQUENCY_HZ,
                "azimuthSteeringRate": swath.steering_deg_s,
            },
            "downlinkInformationList": Items("downlinkInformation", [_downlink(channel)]),
            "orbitList": Items(
                "orbit",
                [
                    {
                        "time": time,
                        "frame": "Earth Fixed",
                        "position": dict(zip("xyz", position, strict=True)),
                        "velocity": dict(zip("xyz", velocity, strict=True)),
                    }
                    for time, position, velocity in zip(
                        orbit.epoch + (orbit.times_s * 1e9).astype("timedelta64[ns]"),
                        orbit.positions_m,
                        orbit.velocities_m_s,
                        strict=True,
                    )
                ],
            ),
            "attitudeList": Items("attitude", []),
            "noiseList": Items("noise", []),
            "terrainHeightList": Items(
                "terrainHeight",
                [
                    {"azimuthTime": time, "value": plan.scenario.ground.base_m}
                    for time in (start, stop)
                ],
            ),
            "azimuthFmRateList": Items(
                "azimuthFmRate",
                [
                    {
                        "azimuthTime": time,
                        "t0": window.near_range_s,
                        "azimuthFmRatePolynomial": one.fm_rate,
                    }
                    for time, one in zip(middles, dopplers, strict=True)
                ],
            ),
        },
        "imageAnnotation": {
            "imageInformation": _image(channel, incidence),
            "processingInformation": _processing(channel),
        },
        "dopplerCentroid": {
            "dcEstimateList": Items(
                "dcEstimate",
                [_estimate(time, one) for time, one in zip(middles, dopplers, strict=True)],
            )
        },
        "antennaPattern": {"antennaPatternList": Items("antennaPattern", [])},
        "swathTiming": {
            "linesPerBurst": swath.lines,
            "samplesPerBurst": window.samples,
            "burstList": Items(
                "burst", [_burst(channel, k, byte_offset) for k in range(len(bursts))]
            ),
        },
        "geolocationGrid": {"geolocationGridPointList": Items("geolocationGridPoint", grid)},
        "coordinateConversion": {"coordinateConversionList": Items("coordinateConversion", [])},
        "swathMerging": {"swathMergeList": Items("swathMerge", [])},
    }
    return document("product", content)


def _burst(channel: Channel, k: int, byte_offset: int) -> dict[str, Any]:
    plan, window = channel.plan, channel.window
    swath, start = window.swath, channel.starts[k]
    first, stop = swath.valid_lines
    left, right = window.valid_samples
    valid = (np.arange(swath.lines) >= first) & (np.arange(swath.lines) < stop)
    since_node = channel.shot.path.seconds(start)
    number = plan.first_number + plan.numbers(channel.shot)[k]
    return {
        "azimuthTime": start,
        "azimuthAnxTime": since_node,
        "sensingTime": start + np.timedelta64(1100, "ms"),
        "byteOffset": byte_offset + k * swath.lines * window.samples * 4,
        "firstValidSample": np.where(valid, left, -1),
        "lastValidSample": np.where(valid, right - 1, -1),
        "burstId": number,
    }


def _estimate(time: np.datetime64, doppler: Doppler) -> dict[str, Any]:
    return {
        "azimuthTime": time,
        "t0": DOPPLER_ORIGIN_S,
        "geometryDcPolynomial": np.zeros(3),
        "dataDcPolynomial": doppler.centroid,
        "dataDcRmsError": 0.0,
        "dataDcRmsErrorAboveThreshold": False,
        "fineDceAzimuthStartTime": time,
        "fineDceAzimuthStopTime": time,
        "fineDceList": Items("fineDce", []),
    }


def _downlink(channel: Channel) -> dict[str, Any]:
    swath = channel.window.swath
    return {
        "swath": swath.name,
        "azimuthTime": channel.starts[0],
        "firstLineSensingTime": channel.span[0],
        "lastLineSensingTime": channel.span[1],
        "prf": swath.prf_hz,
        "downlinkValues": {
            "pri": 1 / swath.prf_hz,
            "rank": 9,
            "txPulseLength": swath.pulse_s,
            "txPulseStartFrequency": -swath.range_bandwidth_hz / 2,
            "txPulseRampRate": swath.range_bandwidth_hz / swath.pulse_s,
        },
    }


def _image(channel: Channel, incidence_deg: float) -> dict[str, Any]:
    start, stop = channel.span
    _, velocity = channel.shot.path.state(channel.shot.path.seconds(start))
    return {
        "productFirstLineUtcTime": start,
        "productLastLineUtcTime": stop,
        "ascendingNodeTime": channel.shot.path.node_time,
        "anchorTime": start,
        "productComposition": "Slice",
        "sliceNumber": 1,
        "sliceList": Items("slice", []),
        "slantRangeTime": channel.window.near_range_s,
        "pixelValue": "Complex",
        "outputPixels": "16 bit Signed Integer",
        "rangePixelSpacing": SAMPLE_M,
        # On the ground, where the speed over it is some 0.9 of the satellite's.
        "azimuthPixelSpacing": float(np.linalg.norm(velocity)) * LINE_S * 6371 / 7071,
        "azimuthTimeInterval": LINE_S,
        "azimuthFrequency": 1 / LINE_S,
        "numberOfSamples": channel.window.samples,
        "numberOfLines": channel.lines,
        "zeroDopMinusAcqTime": 0.0,
        "incidenceAngleMidSwath": incidence_deg,
        "imageStatistics": {
            "outputDataMean": {"re": 0.0, "im": 0.0},
            "outputDataStdDev": {"re": LEVEL_DN / 2**0.5, "im": LEVEL_DN / 2**0.5},
        },
    }


def _processing(channel: Channel) -> dict[str, Any]:
    swath = channel.window.swath

    def band(width: float, window: float) -> dict[str, Any]:
        return {
            "windowType": "Hamming",
            "windowCoefficient": window,
            "totalBandwidth": width,
            "processingBandwidth": width,
            "lookBandwidth": width,
            "numberOfLooks": 1,
            "lookOverlap": 0.0,
        }

    return {
        "rawDataAnalysisUsed": False,
        "orbitDataFileUsed": True,
        "attitudeDataFileUsed": False,
        "rxVariationCorrectionApplied": True,
        "antennaElevationPatternApplied": True,
        "antennaAzimuthPatternApplied": True,
        "antennaAzimuthElementPatternApplied": True,
        "dcMethod": "Data Analysis",
        "dcInputData": "Range Compressed",
        "rangeSpreadingLossCompensationApplied": True,
        "srgrConversionApplied": False,
        "detectionPerformed": False,
        "thermalNoiseCorrectionPerformed": False,
        "swathProcParamsList": Items(
            "swathProcParams",
            [
                {
                    "swath": swath.name,
                    "rangeProcessing": band(swath.range_bandwidth_hz, swath.range_window),
                    "azimuthProcessing": band(swath.azimuth_bandwidth_hz, swath.azimuth_window),
                    "processorScalingFactor": 1.0,
                }
            ],
        ),
        "referenceRange": 8e5,
        "ellipsoidName": "WGS84",
        "ellipsoidSemiMajorAxis": 6378137.0,
        "ellipsoidSemiMinorAxis": 6356752.314245,
        "bistaticDelayCorrectionApplied": True,
        "topsFilterConvention": "Only Echo Lines",
        "orbitSource": "Auxiliary",
        "attitudeSource": "Auxiliary",
    }


def _heading(channel: Channel) -> float:
    """Heading of the satellite at the first line, degrees from north."""
    position, velocity = channel.shot.path.state(channel.shot.path.seconds(channel.starts[0]))
    up = position / np.linalg.norm(position)
    east = np.cross([0.0, 0.0, 1.0], up)
    north = np.cross(up, east)
    return float(np.degrees(np.arctan2(velocity @ east, velocity @ north)))


def _geolocation(channel: Channel) -> tuple[list[dict[str, Any]], float]:
    """Points of the geolocation grid, on the ground, and the incidence angle at mid-swath."""
    plan, shot, window = channel.plan, channel.shot, channel.window
    start, stop = channel.span
    lines = np.append(np.arange(len(channel.starts)) * window.swath.lines, channel.lines - 1)
    times = np.array([*channel.starts, stop])
    pixels = np.linspace(0, window.samples - 1, _GRID_COLUMNS).round().astype(int)
    tau = window.near_range_s + pixels / SAMPLING_HZ
    orbit = shot.path.orbit(
        start - np.timedelta64(60, "s"), stop + np.timedelta64(60, "s"), source="annotation"
    )
    track = make_track(orbit, start, stop, margin_s=30)
    since = orbit.seconds(times)[:, None] + np.zeros(len(tau))
    distance = tau * SPEED_OF_LIGHT / 2 + np.zeros((len(times), 1))
    place = ground(track, world_dem(plan), since, distance)
    incidence: NDArray[np.float64] = np.degrees(look(track, *place).incidence_angle)
    positions, _ = shot.path.state(np.array([shot.path.seconds(time) for time in times]))
    # Elevation by the law of sines on the sphere of the place's radius.
    radius = np.linalg.norm(positions, axis=1)[:, None]
    elevation = np.degrees(np.arcsin(np.sin(np.radians(incidence)) * 6.371e6 / radius))
    points = [
        {
            "azimuthTime": times[i],
            "slantRangeTime": tau[j],
            "line": int(lines[i]),
            "pixel": int(pixels[j]),
            "latitude": float(np.degrees(place[0][i, j])),
            "longitude": float((np.degrees(place[1][i, j]) + 180) % 360 - 180),
            "height": float(place[2][i, j]),
            "incidenceAngle": float(incidence[i, j]),
            "elevationAngle": float(elevation[i, j]),
        }
        for i in range(len(times))
        for j in range(len(tau))
    ]
    return points, float(incidence[len(times) // 2, _GRID_COLUMNS // 2])


def world_dem(plan: Plan) -> Dem:
    """Heights of the world, for the geometry."""
    heights = np.ascontiguousarray(plan.world.layers[..., HEIGHT])
    return Dem(heights, plan.world.longitude, plan.world.latitude, STEP, STEP, "sandbox")


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
