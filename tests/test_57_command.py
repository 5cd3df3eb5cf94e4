"""The engine `command`: another program's result as a map like any other, and its bad days."""

import errno
import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from lxml import etree
from test_09_program import is_gone, until
from test_57_engine import LAYERS, World, layers, result, truth, world

from geobservatory.engines import command as command_module
from geobservatory.engines.command import CommandEngine
from geobservatory.engines.hand_over import hand_over, told
from geobservatory.engines.inputs import open_inputs
from geobservatory.engines.registry import make_engine, require
from geobservatory.engines.request import Progress, Request, Result
from geobservatory.errors import ConfigurationError, GeobservatoryError, InputError
from geobservatory.hubs.access import Hubs
from geobservatory.program import LimitError, ProgramError
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.safe import open_product
from geobservatory.settings.command import Command
from geobservatory.settings.model import Hub, HubKind, Settings
from geobservatory.trial import Trial, try_engines

__all__ = ["result", "world"]
PROGRAM = Path(__file__).with_name("own_program.py")
TEMPLATES = Path(command_module.__file__).with_name("templates")


def settings(world: World, fault: str = "", leave: str = "wrapped", **given: object) -> Command:
    unit, positive = str(given.pop("unit", "radian")), str(given.pop("positive", "away"))
    output = {"unit": unit, "positive": positive}
    outputs: dict[str, object] = {"coherence": {"file": "coherence.tif"}}
    if leave in ("wrapped", "both"):
        outputs["wrapped_phase"] = {"file": "wrapped.tif", **output}
    if leave == "both":
        outputs["unwrapped_phase"] = {"file": "unwrapped.tif", **output}
    if leave == "motion":
        outputs["los_displacement"] = {"file": "motion.tif", **output}
    run = (
        sys.executable, str(PROGRAM), "{inputs}", "{outputs}", "{work}",
        "--world", str(world.folder), "--leave", leave, "--unit", unit, "--positive", positive,
        "--fault", fault,
    )  # fmt: skip
    version = (sys.executable, "-c", "print('own program 1.2')")
    return Command.model_validate(
        {"program": "own", "run": run, "version": version, "outputs": outputs, **given}
    )


def make(world: World, out: Path, command: Command, **changes: object) -> Result:
    return CommandEngine(command).make(world.request(out, **changes), lambda doing, share: None)


def log_of(out: Path) -> str:
    (log,) = out.glob(".work/*/command.log")
    return log.read_text()


@pytest.mark.parametrize(
    ("leave", "unit", "positive"),
    [("wrapped", "cycle", "toward"), ("both", "radian", "away"), ("motion", "mm", "away")],
    ids=["wrapped", "both", "motion"],
)
def test_signs_and_units_become_ours(
    world: World, tmp_path: Path, leave: str, unit: str, positive: str
) -> None:
    """Whatever the program's sign and unit, the map shows the true motion to half a millimetre."""
    out = tmp_path / "map"
    make(world, out, settings(world, leave=leave, unit=unit, positive=positive))
    made = layers(out)
    moved, coherence = truth(world, out)
    trusted = (made["connected_components"] == 1) & (coherence > 0.6)
    assert trusted.sum() > 5000
    error = (made["los_displacement"] - moved)[trusted]
    error -= np.median(error)
    assert np.abs(error).mean() < 0.0005
    known = np.isfinite(made["unwrapped_phase"])
    turns = (made["unwrapped_phase"] - made["wrapped_phase"])[known] / (2 * np.pi)
    assert np.abs(turns - np.rint(turns)).max() < 1e-3


def test_product_and_metadata_are_those_of_any_engine(
    world: World, result: Path, tmp_path: Path
) -> None:
    out = tmp_path / "map"
    made = make(world, out, settings(world, leave="both"))
    assert {path.stem for path in out.glob("*.tif")} == LAYERS
    native = json.loads((result / "metadata.json").read_text())
    item = json.loads((out / "metadata.json").read_text())
    assert made.item == item
    assert set(native["properties"]) == set(item["properties"])
    assert set(native["properties"]["geobs:quality"]) == set(item["properties"]["geobs:quality"])
    for name in ("proj:transform", "proj:shape", "geobs:bursts", "geobs:conventions", "geobs:dem"):
        assert native["properties"][name] == item["properties"][name]
    kept = set(item["assets"]) - set(native["assets"])
    assert kept == {"command.log", "command-request.json"}
    assert "own program 1" in (out / "command.log").read_text()
    assert item["properties"]["geobs:engine"] == "command"
    assert item["properties"]["processing:software"]["own"] == "own program 1.2"
    # Geometry is ours, whoever made the phase.
    for name in ("los_east", "los_up", "incidence_angle", "height"):
        np.testing.assert_array_equal(layers(out)[name], layers(result)[name])
    # Nothing of this machine is told.
    assert str(world.folder) not in json.dumps(item["properties"])


def test_inputs_are_laid_out_for_other_programs(world: World, tmp_path: Path) -> None:
    """What lies there can be opened by what it is, and says what is what."""
    out = tmp_path / "map"
    with pytest.raises(ProgramError):
        make(world, out, settings(world, "status"))
    (folder,) = out.glob(".work/*/inputs")
    request = json.loads((folder / "request.json").read_text())
    for which, packed in zip(("reference", "secondary"), world.made.products, strict=True):
        product = open_product(folder / request[which]["products"][0])
        assert product.problems == ()
        assert [one.identity for one in place_bursts(product)] == [
            one.identity for one in place_bursts(open_product(packed))
        ]
        assert (folder / request[which]["orbit"]).read_bytes() in [
            path.read_bytes() for path in world.made.orbits
        ]
    with rasterio.open(folder / "dem.tif") as ours, rasterio.open(world.made.dem) as given:
        x, y = given.xy(given.height // 2, given.width // 2)
        (here,), (there,) = ours.sample([(x, y)]), given.sample([(x, y)])
        assert here[0] == there[0]
    assert request["wavelength_m"] == pytest.approx(0.0555, abs=1e-4)
    assert [one["reference"]["index"] for one in request["bursts"]] == [0, 1]
    assert json.loads((folder / "area.geojson").read_text())["geometry"]["type"] == "Polygon"


@pytest.mark.parametrize("kind", ["copied by the system", "copied plainly"])
def test_a_program_that_writes_over_its_inputs_spoils_its_own_copy_only(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Of products that lie as folders in the archive; the next try finds the inputs whole again."""
    archive = tmp_path / "archive"
    for path in world.made.products:
        with zipfile.ZipFile(path) as packed:
            packed.extractall(archive)
    safes = [archive / path.name.removesuffix(".zip") for path in world.made.products]
    if kind == "copied plainly":

        def refused(*given: object) -> int:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", refused)
    before = {path: state(path) for path in archive.rglob("*")}
    out, command = tmp_path / "map", settings(world, "scribbles once")
    changes = {"reference": (safes[0],), "secondary": (safes[1],)}
    with pytest.raises(ProgramError, match="exit status 4"):
        make(world, out, command, **changes)
    (image, *_) = out.glob(".work/*/inputs/*/*/measurement/*.tiff")
    assert image.stat().st_size == 0
    assert {path: state(path) for path in archive.rglob("*")} == before
    # It ends where an image is empty.
    make(world, out, command, **changes)
    assert (out / "metadata.json").exists()
    assert {path: state(path) for path in archive.rglob("*")} == before


def state(path: Path) -> tuple[object, ...]:
    about = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return about.st_mode, about.st_nlink, about.st_mtime_ns, content


def test_room_for_the_copy_is_looked_for_before_anything_is_laid_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = world.request(tmp_path / "map")
    with open_inputs(request) as inputs:
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
        with pytest.raises(InputError, match=r"own copy of the products takes 0\.\d GB more"):
            hand_over(inputs, request, tmp_path / "inputs")
    assert list((tmp_path / "inputs").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "leave", "error", "said"),
    [
        ("status", "wrapped", ProgramError, "exit status 3.*no licence on this host"),
        ("killed", "wrapped", ProgramError, "SIGKILL.*out of memory"),
        ("silent", "wrapped", InputError, "did not leave it"),
        ("nothing", "wrapped", InputError, "holds no value"),
        ("elsewhere", "wrapped", InputError, "it covers 11.*the map -8"),
        ("nowhere", "wrapped", InputError, "does not say where it lies"),
        ("contradicts", "both", InputError, "do not go together"),
    ],
)
def test_what_cannot_be_a_map_is_an_error_and_nothing_is_published(
    world: World, tmp_path: Path, fault: str, leave: str, error: type, said: str
) -> None:
    out = tmp_path / "map"
    with pytest.raises(error, match=said):
        make(world, out, settings(world, fault, leave))
    assert [path.name for path in out.iterdir()] == [".work"]
    assert "own program 1" in log_of(out)


def test_limits_are_kept(world: World, tmp_path: Path) -> None:
    with pytest.raises(LimitError, match=r"more than the 1\.8 s"):
        make(world, tmp_path / "time", settings(world, "hangs", time_limit_h=0.0005))
    with pytest.raises(LimitError, match=r"may hold 0\.3 GB"):
        make(world, tmp_path / "memory", settings(world, "memory", memory_gb=0.3))
    (pid,) = (tmp_path / "time").glob(".work/*/work/pid")
    assert is_gone(pid)


def test_progress_is_that_of_the_program(world: World, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    with pytest.raises(InputError):
        CommandEngine(settings(world, "nothing")).make(
            world.request(tmp_path / "map"), lambda *one: told.append(one)
        )
    assert [doing for doing, _ in told] == [
        "opening", "laying out inputs", "own", "reading", "writing"
    ]  # fmt: skip
    assert [share for _, share in told] == sorted(share for _, share in told)


def test_a_killed_run_goes_on(world: World, tmp_path: Path) -> None:
    """`kill -9` in the middle ends the program; the next run goes on with what it had."""
    out = tmp_path / "map"
    command = settings(world, "hangs once", resumes=True)
    code = (
        "import pickle, sys; engine, request = pickle.load(sys.stdin.buffer); "
        "engine.make(request, lambda doing, share: None)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(pickle.dumps((CommandEngine(command), world.request(out))))
    child.stdin.close()
    (pid,) = until(lambda: list(out.glob(".work/*/work/pid")), 120)  # type: ignore[misc]
    until(pid.read_text)
    with pytest.raises(GeobservatoryError, match="another process"):
        make(world, out, command)
    child.send_signal(signal.SIGKILL)
    child.wait()
    until(lambda: is_gone(pid))
    unpacked = {path: path.stat().st_mtime_ns for path in out.glob(".work/*/inputs/*/*/measure*/*")}
    assert len(unpacked) == 2
    assert not (out / "metadata.json").exists()
    told: list[str] = []

    def watch(doing: str, share: float) -> None:
        told.append(doing)
        if doing == "writing":
            (starts,) = out.glob(".work/*/work/starts")
            assert starts.read_text() == "xx"
            assert unpacked == {path: path.stat().st_mtime_ns for path in unpacked}

    CommandEngine(command).make(world.request(out), watch)
    assert "writing" in told
    assert (out / "metadata.json").exists()
    assert not (out / ".work").exists()


def test_a_program_that_has_finished_is_not_run_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed after it (here: the disk) is done again without it."""
    from geobservatory.engines import outputs

    def full(*rest: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    out, command = tmp_path / "map", settings(world)
    with monkeypatch.context() as patched:
        patched.setattr(outputs, "write_cog", full)
        with pytest.raises(GeobservatoryError, match="No space left"):
            make(world, out, command)
    told: list[str] = []
    CommandEngine(command).make(world.request(out), lambda doing, share: told.append(doing))
    assert "writing coherence" in told
    assert "reading" not in told


def test_products_that_were_fetched_in_part_are_refused(world: World, tmp_path: Path) -> None:
    """Another program takes their holes for pixels."""
    reference = world.made.products[0]
    shelf = Hub(name="shelf", kind=HubKind.FOLDER, address=str(reference.parent))
    hubs = Hubs(Settings(data_dir=tmp_path / "data", hubs=(shelf,)))
    product = open_product(reference)
    area = place_bursts(product, "VV")[0].footprint
    part = hubs.fetch(str(product.name), area=area, polarisations=("VV",)).path
    assert open_product(part).partial is not None
    with pytest.raises(InputError, match=r"in part; the engine command needs the whole"):
        make(world, tmp_path / "out", settings(world), reference=(part,))
    assert not list((tmp_path / "out").rglob("*.tif"))


def test_what_is_missing_is_said_before_anything_is_done(world: World) -> None:
    good = settings(world)
    require(CommandEngine(good))
    for changes, said in [
        ({"run": ()}, "engine.command.run is missing"),
        ({"run": ("no-such-program",)}, "no-such-program is missing: install it"),
        ({"run": (*good.run, "{input}")}, r"a meaning of \{input\} is missing"),
        ({"version": ("false",)}, "its version is missing: false ended with exit status 1"),
        ({"outputs": {"coherence": {"file": "a"}}}, "name one of wrapped_phase"),
        ({"outputs": {"unwrapped_phase": {"file": "a"}}}, "outputs.coherence is missing"),
        (
            {"outputs": {"coherence": {"file": "a"}, "wrapped_phase": {"file": "b"}}},
            "the sign of a phase has to be told",
        ),
        (
            {
                "outputs": {
                    "coherence": {"file": "a"},
                    "wrapped_phase": {"file": "b", "unit": "turn", "positive": "away"},
                }
            },
            "'turn' is no unit of phase",
        ),
    ]:
        wrong = Command.model_validate({**good.model_dump(), **changes})
        with pytest.raises(ConfigurationError, match=said):
            require(CommandEngine(wrong))


def test_secrets_and_values_stay_out_of_everything_that_is_kept(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_LICENCE_KEY", "s3cret-key")
    out = tmp_path / "map"
    shell = ("sh", "-c", 'echo licence $OWN_LICENCE_KEY; echo "$0" "$@"; exit 4', "{inputs}")
    command = settings(world, inherit=("OWN_LICENCE_KEY",)).model_copy(update={"run": shell})
    with pytest.raises(ProgramError) as caught:
        make(world, out, command)
    assert "licence" in log_of(out)
    assert "s3cret" not in log_of(out) + str(caught.value)
    assert "s3cret" not in json.dumps(dict(CommandEngine(command).fingerprint()))


def test_fingerprints_tell_versions_settings_and_scripts_apart(
    world: World, tmp_path: Path
) -> None:
    script = tmp_path / "own.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    plain = settings(world).model_copy(update={"run": (str(script), "{inputs}")})

    def fingerprint(**changes: object) -> str:
        engine = CommandEngine(plain.model_copy(update=changes))
        return json.dumps(dict(engine.fingerprint()), sort_keys=True)

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint(time_limit_h=1.0) == first
    found = {first, fingerprint(version=("echo", "2")), fingerprint(environment={"A": "b"})}
    script.write_text("#!/bin/sh\n# changed\n")
    found.add(fingerprint())
    assert len(found) == 4


def test_the_engine_is_the_activations_or_else_the_configured_one(
    world: World, tmp_path: Path
) -> None:
    configured = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "engine": {"name": "native", "command": settings(world).model_dump()},
        }
    )
    assert make_engine(configured.engine.name, configured).name == "native"
    assert make_engine("command", configured).availability().version == "own program 1.2"
    with pytest.raises(ConfigurationError, match="there is no engine doris; there is native"):
        make_engine("doris", configured)


@pytest.mark.parametrize("name", ["gmtsar", "isce2", "sarscape"])
def test_shipped_templates_are_settings_that_lack_only_their_programs(name: str) -> None:
    given = tomllib.loads((TEMPLATES / f"{name}.toml").read_text())
    engine = make_engine("command", Settings.model_validate(given))
    lacking = engine.availability().missing
    assert lacking
    assert all(one.what.startswith(("/opt", "/usr", "its version")) for one in lacking)


def test_the_template_of_gmtsar_says_what_it_lacks(tmp_path: Path) -> None:
    script = TEMPLATES / "gmtsar.sh"
    subprocess.run(["bash", "-n", script], check=True)
    done = subprocess.run(
        ["bash", script, "--version"], env={"PATH": "/usr/bin:/bin", "GMTSAR_ROOT": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no Debian root with GMTSAR" in done.stderr


def test_the_template_of_isce2_writes_what_it_is_asked(world: World, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("isce2", TEMPLATES / "isce2.py")
    assert spec is not None and spec.loader is not None
    isce2 = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(isce2)
    request = world.request(tmp_path / "map")
    with open_inputs(request) as inputs:
        isce2.write_xml(told(inputs, request), tmp_path / "inputs", tmp_path)
    root = etree.fromstring((tmp_path / "topsApp.xml").read_bytes())
    said = {one.get("name"): one.text for one in root.iterfind("./component/property")}
    assert said["swaths"] == "[2]"
    south, north, west, east = json.loads(said["region of interest"] or "")
    assert south < north
    assert west < east
    for which, packed in zip(("reference", "secondary"), world.made.products, strict=True):
        image = root.find(f"./component/component[@name='{which}']")
        assert image is not None
        names = {one.get("name"): one.text or "" for one in image}
        assert packed.name.removesuffix(".zip") in names["safe"]
        assert names["orbit file"].endswith(".EOF")


@pytest.mark.slow
def test_a_trial_tells_good_engines_from_bad_ones(world: World, tmp_path: Path) -> None:
    """A right one agrees; a wrong sign shows as slope -1, a failure as its message."""

    def tried(command: Command) -> Trial:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        return try_engines([CommandEngine(command)], world.request(out), world.folder, told)[1]

    def told(doing: str, share: float) -> None:
        assert doing.split(":")[0] in ("native", "command")

    right = tried(settings(world, leave="both"))
    assert right.good
    assert right.native is not None
    assert right.native.slope == pytest.approx(1, abs=0.02)
    assert right.truth is not None
    assert right.truth.error_mm < 0.5
    command = settings(world, leave="wrapped")
    phase = command.outputs.wrapped_phase
    assert phase is not None
    phase = phase.model_copy(update={"positive": "toward"})
    outputs = command.outputs.model_copy(update={"wrapped_phase": phase})
    wrong = tried(command.model_copy(update={"outputs": outputs}))
    assert not wrong.good
    assert wrong.native is not None
    assert wrong.native.slope == pytest.approx(-1, abs=0.02)
    failed = tried(settings(world, "status"))
    assert not failed.good
    assert "no licence on this host" in str(failed.failed)
    assert "no licence on this host" in failed.tail


@pytest.mark.slow
def test_a_trial_goes_on_whatever_an_engine_raises(world: World, tmp_path: Path) -> None:
    """What nobody foresaw is told with its place, and the other engines have their turn."""

    class Broken(CommandEngine):
        name = "broken"

        def make(self, request: Request, progress: Progress) -> Result:
            raise ValueError("no band called coh")

    engines = [Broken(settings(world)), CommandEngine(settings(world, leave="both"))]
    request = world.request(tmp_path / "maps")
    _, broken, right = try_engines(engines, request, world.folder, lambda doing, share: None)
    assert broken.failed is not None
    assert broken.failed.startswith("ValueError: no band called coh (make, test_57_command.py:")
    assert right.good
