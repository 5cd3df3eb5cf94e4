#!/usr/bin/env python3
"""ISCE2's topsApp.py behind the engine `command`: isce2.py INPUTS OUTPUTS WORK, or --version.

Runs with the Python of the environment that ISCE2 and GDAL are installed in. It was written by
ISCE2's example files and parameter list (examples/input_files/topsApp.xml) and has not been run.
"""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

# What topsApp.py leaves, the band that holds it, and the name the settings know it by.
LEFT = {
    "merged/filt_topophase.unw.geo.vrt": (2, "unwrapped.tif"),
    "merged/filt_topophase.unw.conncomp.geo.vrt": (1, "components.tif"),
    "merged/topophase.cor.geo.vrt": (2, "coherence.tif"),
    "merged/los.rdr.geo.vrt": (1, "incidence.tif"),
}


def main() -> None:
    """Do what the command line asks for."""
    if sys.argv[1:] == ["--version"]:
        import isce

        print("ISCE2", isce.release_version)
        return
    inputs, outputs, work = map(Path, sys.argv[1:])
    request = json.loads((inputs / "request.json").read_text())
    print("geobs: 2 % heights", flush=True)
    call("gdal_translate", "-q", "-of", "ENVI", "-ot", "Float32", inputs / "dem.tif",
         work / "dem.wgs84", cwd=work)  # fmt: skip
    call("gdal2isce_xml.py", "-i", work / "dem.wgs84", cwd=work)
    write_xml(request, inputs, work)
    print("geobs: 5 % topsApp.py", flush=True)
    call("topsApp.py", "topsApp.xml", "--steps", cwd=work)
    print("geobs: 95 % writing", flush=True)
    for name, (band, target) in LEFT.items():
        call("gdal_translate", "-q", "-b", str(band), "-a_srs", "EPSG:4326", name,
             outputs / target, cwd=work)  # fmt: skip


def call(*arguments: object, cwd: Path) -> None:
    """Run a program, and end with its status if it fails."""
    status = subprocess.run([str(one) for one in arguments], cwd=cwd, check=False).returncode
    if status:
        sys.exit(f"{arguments[0]} ended with {status}")


def write_xml(request: dict, inputs: Path, work: Path) -> None:
    """Write topsApp.xml; the map is cut to the box of the bursts asked for."""
    box = request["bounds"]
    region = [box["south"], box["north"], box["west"], box["east"]]
    root = ElementTree.Element("topsApp")
    top = ElementTree.SubElement(root, "component", name="topsinsar")

    def say(parent: ElementTree.Element, name: str, value: object) -> None:
        ElementTree.SubElement(parent, "property", name=name).text = str(value)

    say(top, "Sensor name", "SENTINEL1")
    for which in ("reference", "secondary"):
        image = ElementTree.SubElement(top, "component", name=which)
        say(image, "safe", [str(inputs / one) for one in request[which]["products"]])
        say(image, "output directory", which)
        say(image, "polarization", request["polarisation"].lower())
        if request[which]["orbit"] is not None:
            say(image, "orbit file", inputs / request[which]["orbit"])
    say(top, "demFilename", work / "dem.wgs84")
    say(top, "swaths", [int(one.removeprefix("IW")) for one in request["swaths"]])
    say(top, "region of interest", region)
    say(top, "geocode bounding box", region)
    say(top, "range looks", request["looks"]["range"])
    say(top, "azimuth looks", request["looks"]["azimuth"])
    say(top, "do ESD", request["spectral_diversity"])
    say(top, "do unwrap", True)
    say(top, "unwrapper name", "snaphu_mcf")
    say(top, "geocode list", [name.removesuffix(".geo.vrt") for name in LEFT])
    ElementTree.ElementTree(root).write(work / "topsApp.xml")


if __name__ == "__main__":
    main()
