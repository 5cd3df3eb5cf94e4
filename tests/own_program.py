"""A centre's own program, as the tests of the engine `command` need one.

It reads what is laid out for it as any program would, and leaves on a grid of its own (longitude
and latitude) the truth of the simulated pair, in the sign and unit it is told: what comes out of
the engine can be held against numbers that the native engine had no part in. `--fault` has it
behave as programs do on bad days.
"""

import argparse
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import rasterio

UNITS = {"radian": 1.0, "degree": math.pi / 180, "cycle": 2 * math.pi, "m": 1.0, "mm": 1e-3}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("inputs", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--leave", default="wrapped", help="wrapped, both, motion")
    parser.add_argument("--unit", default="radian")
    parser.add_argument("--positive", default="away")
    parser.add_argument("--fault", default="")
    given = parser.parse_args()
    print("own program 1", flush=True)
    (given.work / "starts").open("a").write("x")
    print("geobs: 10 % reading", flush=True)
    request = json.loads((given.inputs / "request.json").read_text())
    for which in ("reference", "secondary"):
        for product in request[which]["products"]:
            (image,) = (given.inputs / product / "measurement").glob("*.tiff")
            assert image.stat().st_size > 0
    misbehave(given.fault, given.work, given.inputs)
    print("geobs: 80 % writing", flush=True)
    write(given, request)


def misbehave(fault: str, work: Path, inputs: Path) -> None:
    if fault == "status":
        print("no licence on this host", file=sys.stderr)
        sys.exit(3)
    elif fault == "silent":
        sys.exit(0)
    elif fault == "scribbles once" and not (work.parent / "scribbled").exists():
        (work.parent / "scribbled").touch()
        for path in [one for one in inputs.rglob("*") if one.is_file()]:
            path.chmod(0o600)
            with path.open("r+b") as file:
                file.write(b"scribbled")
                file.truncate(0)
        sys.exit(4)
    elif fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "memory":
        held = bytearray(600_000_000)
        time.sleep(60 + len(held) * 0)
    elif fault == "hangs" or (fault == "hangs once" and not (work / "half").exists()):
        (work / "half").write_text("half of it")
        (work / "pid").write_text(str(os.getpid()))
        time.sleep(600)


def write(given: argparse.Namespace, request: dict) -> None:
    names = [Path(request[which]["products"][0]).stem for which in ("reference", "secondary")]
    truth = next(
        path.parent
        for path in given.world.glob("truth-*/truth.json")
        if any(
            [one["reference"], one["secondary"]] == names
            for one in json.loads(path.read_text())["pairs"]
        )
    )
    pairs = json.loads((truth / "truth.json").read_text())["pairs"]
    order = list(dict.fromkeys(one[key] for one in pairs for key in ("reference", "secondary")))
    (spans,) = (
        one["spans_event"] for one in pairs if [one["reference"], one["secondary"]] == names
    )
    with rasterio.open(truth / "map.tif") as file:
        bands = dict(zip(file.descriptions, file.read(), strict=True))
        profile = file.profile | {"count": 1, "crs": "EPSG:4326"}
    first, second = (order.index(name) for name in names)
    toward_m = bands[f"delay_{first}"] - bands[f"delay_{second}"]
    if spans:
        toward_m = toward_m + bands["los_displacement"]
    sign = 1 if given.positive == "toward" else -1
    phase = sign * 4 * math.pi / request["wavelength_m"] * toward_m
    layers = {"coherence": 0.98 * bands["coherence"]}
    if given.leave in ("wrapped", "both"):
        layers["wrapped"] = np.angle(np.exp(1j * phase)) / UNITS[given.unit]
    if given.leave == "both":
        # Counted from somewhere else than the wrapped phase.
        layers["unwrapped"] = (phase + 1.0) / UNITS[given.unit]
    if given.leave == "motion":
        layers["motion"] = sign * toward_m / UNITS[given.unit]
    transform = profile["transform"]
    if given.fault == "elsewhere":
        profile["transform"] = rasterio.Affine.translation(20, 5) @ transform
    if given.fault == "nowhere":
        profile["crs"] = None
    for name, values in layers.items():
        if given.fault == "nothing":
            values = np.full_like(values, np.nan)
        if given.fault == "contradicts" and name == "unwrapped":
            values = -values
        with rasterio.open(given.outputs / f"{name}.tif", "w", **profile) as file:
            file.write(values.astype(np.float32), 1)


if __name__ == "__main__":
    main()
