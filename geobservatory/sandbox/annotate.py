"""The annotation of a simulated swath: what the processor would have said of it.

Element names and their order are those of the Sentinel-1 Product Specification,
S1-RS-MDA-52-7441. What only a real instrument has (replicas, raw data statistics, antenna pattern)
is left out or empty.
"""

from typing import Any

import numpy as np

from geobservatory.sandbox.channel import Channel
from geobservatory.sandbox.doppler import DOPPLER_ORIGIN_S, Doppler
from geobservatory.sandbox.geolocation import geolocation, heading
from geobservatory.sandbox.image import LEVEL_DN, burst_doppler
from geobservatory.sandbox.instrument import FREQUENCY_HZ, LINE_S, SAMPLE_M, SAMPLING_HZ
from geobservatory.sandbox.xml_writer import Items, document


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
    grid, incidence = geolocation(channel)
    content = {
        "adsHeader": channel.header,
        # GMTSAR 6.5 reads the mean from here, and crashes where it is not.
        "qualityInformation": {
            "productQualityIndex": 0.0,
            "qualityDataList": Items(
                "qualityData",
                [{"azimuthTime": start, "imageQuality": {"imageStatistics": _statistics()}}],
            ),
        },
        "generalAnnotation": {
            "productInformation": {
                "pass": plan.passing.direction.capitalize(),
                "timelinessCategory": "NRT-3h",
                "platformHeading": heading(channel),
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
        "imageStatistics": _statistics(),
    }


def _statistics() -> dict[str, Any]:
    return {
        "outputDataMean": {"re": 0.0, "im": 0.0},
        "outputDataStdDev": {"re": LEVEL_DN / 2**0.5, "im": LEVEL_DN / 2**0.5},
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
