"""Small Sentinel-1 products for tests of the sandbox: true in form, made up in content."""

import hashlib
import random
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

# One pass over Al Haouz; longitude, latitude of the first corner.
CORNER = (-8.2, 30.2)
_MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:gml="http://www.opengis.net/gml" xmlns:xfdu="urn:ccsds:schema:xfdu:1"
  xmlns:safe="http://www.esa.int/safe/sentinel-1.0"
  xmlns:s1="http://www.esa.int/safe/sentinel-1.0/sentinel-1">
  <metadataSection>
    <safe:acquisitionPeriod>
      <safe:startTime>{start}</safe:startTime>
      <safe:stopTime>{stop}</safe:stopTime>
    </safe:acquisitionPeriod>
    <safe:orbitReference>
      <safe:relativeOrbitNumber type="start">{track}</safe:relativeOrbitNumber>
      <safe:relativeOrbitNumber type="stop">{track}</safe:relativeOrbitNumber>
      <safe:cycleNumber>301</safe:cycleNumber>
      <s1:pass>{direction}</s1:pass>
    </safe:orbitReference>
    <s1:sliceNumber>28</s1:sliceNumber>
    <safe:software name="Sentinel-1 IPF" version="003.61"/>
    <safe:footPrint><gml:coordinates>{corners}</gml:coordinates></safe:footPrint>
  </metadataSection>
  <dataObjectSection>{objects}</dataObjectSection>
</xfdu:XFDU>
"""
_OBJECT = """
    <dataObject ID="o{number}">
      <byteStream mimeType="application/octet-stream" size="{size}">
        <fileLocation locatorType="URL" href="./{name}"/>
        <checksum checksumName="MD5">{md5}</checksum>
      </byteStream>
    </dataObject>"""


def make_safe(
    folder: Path,
    start: datetime,
    *,
    track: int = 52,
    direction: str = "DESCENDING",
    corner: tuple[float, float] = CORNER,
    size: int = 300_000,
) -> Path:
    """Write the zip of a product sensed for 27 s from a time; its measurement is random bytes."""
    stop = start + timedelta(seconds=27)
    orbit = 72 + track + 175 * 286
    name = f"S1A_IW_SLC__1SDV_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{orbit:06d}_0609E3_"
    name += hashlib.sha256(name.encode()).hexdigest()[:4].upper()
    stem = f"s1a-iw1-slc-vv-{start:%Y%m%dt%H%M%S}-{stop:%Y%m%dt%H%M%S}-{orbit:06d}-0609e3-004"
    files = {
        f"annotation/{stem}.xml": b"<product><adsHeader/></product>\n" * 40,
        f"measurement/{stem}.tiff": random.Random(name).randbytes(size),
    }
    lon, lat = corner
    corners = [(lat, lon), (lat + 0.4, lon - 2.6), (lat + 2, lon - 2.3), (lat + 1.6, lon + 0.4)]
    manifest = _MANIFEST.format(
        start=f"{start:%Y-%m-%dT%H:%M:%S}.213065",
        stop=f"{stop:%Y-%m-%dT%H:%M:%S}.196353",
        track=track,
        direction=direction,
        corners=" ".join(f"{a:f},{b:f}" for a, b in corners),
        objects="".join(
            _OBJECT.format(
                number=number,
                name=path,
                size=len(content),
                md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
            )
            for number, (path, content) in enumerate(files.items())
        ),
    )
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.SAFE/manifest.safe", manifest)
        for member, content in files.items():
            archive.writestr(f"{name}.SAFE/{member}", content)
    return path


def make_pass(folder: Path, count: int) -> list[Path]:
    """Write products of one track, twelve days apart, the first before the earthquake."""
    first = datetime(2023, 9, 4, 6, 37, 30, tzinfo=UTC)
    return [make_safe(folder, first + timedelta(days=12 * number)) for number in range(count)]


def to_loopback(monkeypatch: pytest.MonkeyPatch, places: dict[str, str]) -> None:
    """Send what clients mean for the real services, whose addresses they hold, to the sandbox.

    Parameters
    ----------
    places
        Beginning of a real address to that of its stand-in.
    """
    send = requests.adapters.HTTPAdapter.send

    def redirected(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **how: Any
    ) -> requests.Response:
        for real, here in places.items():
            if str(request.url).startswith(real):
                request.url = here + str(request.url).removeprefix(real)
        return send(self, request, **how)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirected)
