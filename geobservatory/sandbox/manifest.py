"""The manifest of a simulated product: what it is, where, and what files it is made of."""

import hashlib
from pathlib import Path

import numpy as np
from lxml import etree

from geobservatory.insar.rdr2geo import rdr2geo
from geobservatory.insar.track import make_track
from geobservatory.sandbox.channel import Channel, data_take
from geobservatory.sandbox.instrument import SAMPLING_HZ
from geobservatory.sandbox.xml_writer import text
from geobservatory.sentinel1.annotation import SPEED_OF_LIGHT

IPF_VERSION = "003.61"
_SPACES = {
    "gml": "http://www.opengis.net/gml",
    "xfdu": "urn:ccsds:schema:xfdu:1",
    "safe": "http://www.esa.int/safe/sentinel-1.0",
    "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
    "s1sarl1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1",
}
_SATELLITES = {"S1A": ("2014-016A", "A"), "S1B": ("2016-025A", "B")}


def manifest_xml(channels: list[Channel], folder: Path, members: list[str]) -> bytes:
    """Write the manifest of a product.

    Parameters
    ----------
    channels
        All its images.
    folder, members
        Where its files lie, and their names in it; their sizes and checksums are taken.
    """
    root = etree.Element(f"{{{_SPACES['xfdu']}}}XFDU", nsmap=_SPACES)
    root.set("version", "esa/safe/sentinel-1.0/sentinel-1/sar/level-1/slc/standard/iwdp")
    _add(root, "informationPackageMap")
    metadata = _add(root, "metadataSection")
    _platform(metadata, channels)
    _orbit(metadata, channels)
    _general(metadata, channels)
    _period_and_frame(metadata, channels)
    _processing(metadata)
    files = _add(root, "dataObjectSection")
    for member in members:
        file = folder / member
        node = _add(files, "dataObject", ID=file.stem.replace("-", ""))
        kind = "application/octet-stream" if file.suffix == ".tiff" else "text/xml"
        stream = _add(node, "byteStream", mimeType=kind, size=str(file.stat().st_size))
        _add(stream, "fileLocation", locatorType="URL", href=f"./{member}")
        with file.open("rb") as opened:
            checksum = hashlib.file_digest(opened, "md5").hexdigest()
        _add(stream, "checksum", checksum, checksumName="MD5")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def corners(channels: list[Channel]) -> list[tuple[float, float]]:
    """Latitude and longitude (degrees) of the product's corners, as manifests list them.

    The last line's near and far range, then the first line's far and near range, all at the mean
    height of the ground.
    """
    plan, shot = channels[0].plan, channels[0].shot
    first, last = min(one.span[0] for one in channels), max(one.span[1] for one in channels)
    near = min(one.window.near_range_s for one in channels)
    far = max(one.window.far_range_s for one in channels) + 1 / SAMPLING_HZ
    minute = np.timedelta64(60, "s")
    orbit = shot.path.orbit(first - minute, last + minute, source="annotation")
    track = make_track(orbit, first, last, margin_s=10)
    time = orbit.seconds(np.array([last, last, first, first]))
    distance = np.array([near, far, far, near]) * SPEED_OF_LIGHT / 2
    latitude, longitude = rdr2geo(track, time, distance, np.full(4, plan.scenario.ground.base_m))
    longitude = (np.degrees(longitude) + 180) % 360 - 180
    return list(zip(np.degrees(latitude).tolist(), longitude.tolist(), strict=True))


def _add(
    parent: etree._Element, tag: str, value: object = "", /, **attributes: str
) -> etree._Element:
    prefix, _, local = tag.rpartition(":")
    node = etree.SubElement(parent, f"{{{_SPACES[prefix]}}}{local}" if prefix else local)
    for key, one in attributes.items():
        node.set(key, one)
    if value != "":
        node.text = text(value)
    return node


def _wrapped(metadata: etree._Element, name: str, about: str) -> etree._Element:
    node = _add(metadata, "metadataObject", ID=name, classification="DESCRIPTION", category="DMD")
    wrap = _add(node, "metadataWrap", mimeType="text/xml", vocabularyName="SAFE", textInfo=about)
    return _add(wrap, "xmlData")


def _platform(metadata: etree._Element, channels: list[Channel]) -> None:
    satellite, letter = _SATELLITES[channels[0].plan.passing.mission]
    node = _add(_wrapped(metadata, "platform", "Platform Description"), "safe:platform")
    _add(node, "safe:nssdcIdentifier", satellite)
    _add(node, "safe:familyName", "SENTINEL-1")
    _add(node, "safe:number", letter)
    instrument = _add(node, "safe:instrument")
    _add(instrument, "safe:familyName", "Synthetic Aperture Radar", abbreviation="SAR")
    mode = _add(_add(instrument, "safe:extension"), "s1sarl1:instrumentMode")
    _add(mode, "s1sarl1:mode", "IW")
    for swath in sorted({one.window.swath.name for one in channels}):
        _add(mode, "s1sarl1:swath", swath)


def _orbit(metadata: etree._Element, channels: list[Channel]) -> None:
    plan, shot = channels[0].plan, channels[0].shot
    node = _add(
        _wrapped(metadata, "measurementOrbitReference", "Orbit Reference"), "safe:orbitReference"
    )
    for kind in ("start", "stop"):
        _add(node, "safe:orbitNumber", shot.absolute_orbit, type=kind)
    for kind in ("start", "stop"):
        _add(node, "safe:relativeOrbitNumber", plan.passing.relative_orbit, type=kind)
    properties = _add(_add(node, "safe:extension"), "s1:orbitProperties")
    _add(properties, "s1:pass", plan.passing.direction.upper())
    _add(properties, "s1:ascendingNodeTime", shot.path.node_time)


def _general(metadata: etree._Element, channels: list[Channel]) -> None:
    node = _add(
        _wrapped(metadata, "generalProductInformation", "General Product Information"),
        "s1sarl1:standAloneProductInformation",
    )
    _add(node, "s1sarl1:missionDataTakeID", data_take(channels[0].shot))
    for polarisation in sorted({one.polarisation for one in channels}, reverse=True):
        _add(node, "s1sarl1:transmitterReceiverPolarisation", polarisation)
    _add(node, "s1sarl1:productClass", "S")
    _add(node, "s1sarl1:productType", "SLC")
    _add(node, "s1sarl1:productTimelinessCategory", "NRT-3h")


def _period_and_frame(metadata: etree._Element, channels: list[Channel]) -> None:
    node = _add(
        _wrapped(metadata, "acquisitionPeriod", "Acquisition Period"), "safe:acquisitionPeriod"
    )
    _add(node, "safe:startTime", min(one.span[0] for one in channels))
    _add(node, "safe:stopTime", max(one.span[1] for one in channels))
    frame = _add(
        _add(_wrapped(metadata, "measurementFrameSet", "Frame Set"), "safe:frameSet"), "safe:frame"
    )
    outline = _add(frame, "safe:footPrint", srsName="http://www.opengis.net/gml/srs/epsg.xml#4326")
    _add(outline, "gml:coordinates", " ".join(f"{y:.6f},{x:.6f}" for y, x in corners(channels)))


def _processing(metadata: etree._Element) -> None:
    node = _add(
        metadata, "metadataObject", ID="processing", classification="PROVENANCE", category="PDI"
    )
    wrap = _add(
        node, "metadataWrap", mimeType="text/xml", vocabularyName="SAFE", textInfo="Processing"
    )
    processing = _add(_add(wrap, "xmlData"), "safe:processing", name="SLC Processing")
    facility = _add(
        processing, "safe:facility", name="geObservatory sandbox", organisation="simulated"
    )
    _add(facility, "safe:software", name="Sentinel-1 IPF", version=IPF_VERSION)
