"""How a run of gpt ends, by its stand-in: every habit of the real one that is known."""

import fcntl
import subprocess
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import standins

from geobservatory.engines.snap.auxiliary import lay_out_user_dir
from geobservatory.engines.snap.engine import SnapEngine
from geobservatory.engines.snap.gpt import Gpt, find_gpt
from geobservatory.engines.snap.graph import Graph, Node
from geobservatory.engines.snap.snaphu import find_snaphu, unwrap_export
from geobservatory.errors import (
    ConfigurationError,
    GeobservatoryError,
    InputError,
    TransientError,
)
from geobservatory.products.formats.dimap_writer import About, NewBand, write_dimap
from geobservatory.program import LimitError, ProgramError
from geobservatory.sentinel1.orbit import Orbit
from geobservatory.sentinel1.orbit_files import ChosenOrbit
from geobservatory.settings.snap import Snap


def settings(folder: Path, **switches: str) -> Snap:
    (program,) = standins.install(folder / "bin", "snap_gpt", ["gpt"], **switches)
    return Snap(gpt=program, memory_gb=2)


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """Write a product that Read and Write can handle, and no more."""
    path = tmp_path / "in.dim"
    now = datetime(2023, 9, 4, tzinfo=UTC)
    about = '{"history": [], "start": "2023-09-04T00:00:00+00:00"}'
    bands = [NewBand("i_ifg_VV", np.ones((4, 5), np.float32), "real")]
    write_dimap(path, bands, None, About("SLC", "", now, now, {"standin": about}))
    return path


def copy(product: Path) -> Graph:
    graph = Graph()
    read = graph.add("Read", file=str(product))
    graph.add("Write", read, file=str(product.with_name("out.dim")), formatName="BEAM-DIMAP")
    return graph


def work(gpt: Gpt, graph: Graph, folder: Path, shares: list[float] | None = None) -> Graph:
    return gpt.work(
        graph, folder / "snap-1.xml", folder / "user", folder / "snap.log", 2,
        (shares if shares is not None else []).append,
    )  # fmt: skip


def test_a_run_is_logged_and_its_progress_told(tmp_path: Path, product: Path) -> None:
    gpt = find_gpt(settings(tmp_path))
    assert gpt.version == "10.0.0"
    shares: list[float] = []
    work(gpt, copy(product), tmp_path, shares)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    log = (tmp_path / "snap.log").read_text()
    assert "-J-Xmx2048M" in log
    assert "-c 1229M" in log
    assert f"-J-Dsnap.userdir={tmp_path / 'user'}" in log
    assert "-q 2" in log
    assert "Executing processing graph" in log


def test_progress_is_told_before_its_line_ends(tmp_path: Path, product: Path) -> None:
    """Here gpt goes on only when it has been heard to be at ten percent."""
    program, heard = tmp_path / "gpt", tmp_path / "heard"
    program.write_text(
        "#!/bin/sh\n[ $1 = --diag ] && echo SNAP Release version 11.0.0 && exit 0\n"
        f"printf ....10%%\nwhile [ ! -e {heard} ]; do sleep 0.1; done\n"
        f"cp -r {product} {product.with_name('out.dim')}\n"
        f"cp -r {product.with_suffix('.data')} {tmp_path / 'out.data'}\necho ....100% done.\n"
    )
    program.chmod(0o755)
    shares: list[float] = []

    def progress(share: float) -> None:
        shares.append(share)
        heard.touch()

    gpt = find_gpt(Snap(gpt=program, memory_gb=1, time_limit_h=0.02))
    user, log = tmp_path / "user", tmp_path / "snap.log"
    gpt.work(copy(product), tmp_path / "snap-1.xml", user, log, None, progress)
    assert shares == [0.1, 1.0]


@pytest.mark.parametrize(
    ("fail", "kind", "said"),
    [
        ("status-0", ProgramError, "ended as if all were well, but said: .*NullPointerException"),
        ("no-intersection", ProgramError, "ended as if all were well, but said: .*No intersection"),
        ("silent", ProgramError, "ended as if all were well, and left no out.dim"),
        ("heap", ConfigurationError, "Java ran out of the 2.0 GB.*engine.snap.memory_gb"),
        ("killed", ProgramError, "runs out of memory.*lower engine.snap.memory_gb"),
        ("locked", TransientError, "user directory is held by another process"),
        ("unreachable", TransientError, "auxiliary data that could not be fetched.*auxdata"),
    ],
)
def test_every_known_way_to_fail(
    tmp_path: Path, product: Path, fail: str, kind: type[GeobservatoryError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        work(find_gpt(settings(tmp_path, fail=fail)), copy(product), tmp_path)
    assert type(caught.value) is kind
    assert "snap.log" in str(caught.value)


def test_a_run_that_hangs_is_ended(tmp_path: Path, product: Path) -> None:
    gpt = find_gpt(settings(tmp_path, fail="hangs"))
    quick = Gpt(gpt.program, gpt.heap_gb, gpt.cache_gb, 2.0)
    started = time.monotonic()
    with pytest.raises(LimitError, match=r"engine\.snap\.time_limit_h"):
        work(quick, copy(product), tmp_path)
    assert time.monotonic() - started < 60


def test_a_user_directory_is_one_run_s_own(tmp_path: Path, product: Path) -> None:
    """Two runs that shared one would fail; the second gets the error SNAP's database gives."""
    gpt = find_gpt(settings(tmp_path))
    (tmp_path / "user").mkdir()
    with (tmp_path / "user" / "hsqldb.lck").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TransientError, match="held by another"):
            work(gpt, copy(product), tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    work(gpt, copy(product), other)


def test_a_parameter_that_a_version_lacks_is_left_out_where_it_changes_nothing(
    tmp_path: Path, product: Path
) -> None:
    gpt = find_gpt(settings(tmp_path, fail="unknown:deleteOutputOnFailure"))
    graph = copy(product)
    node = graph["Write"]
    node.parameters["deleteOutputOnFailure"] = "true"  # type: ignore[index]
    ran = work(gpt, graph, tmp_path)
    assert "deleteOutputOnFailure" not in ran["Write"].parameters
    node.parameters["deleteOutputOnFailure"] = "false"  # type: ignore[index]
    with pytest.raises(ConfigurationError, match="has no deleteOutputOnFailure of Write"):
        work(gpt, graph, tmp_path)


def test_versions(tmp_path: Path) -> None:
    """A single swath needs what version 9 has not; a version nobody knows is said to be so."""
    graph = Graph()
    read = graph.add("Read", file="x")
    graph.add("TOPSAR-Split", read, enableSingleSwathMode=True)
    old = find_gpt(settings(tmp_path, version="9.0.8"))
    with pytest.raises(ConfigurationError, match=r"9.0.8 has no enableSingleSwathMode"):
        work(old, graph, tmp_path)
    found = SnapEngine(settings(tmp_path / "new", version="14.0.0")).availability()
    assert (found.version, found.ready) == ("14.0.0", True)
    assert any("none of those its graphs were written for" in one for one in found.notes)
    silent = tmp_path / "gpt"
    silent.write_text("#!/bin/sh\necho gone wrong\nexit 3\n")
    silent.chmod(0o755)
    with pytest.raises(ConfigurationError, match=r"does not tell its version.*gone wrong"):
        _ = find_gpt(Snap(gpt=silent)).version


def test_a_geoid_that_snap_would_have_to_fetch_is_said_with_the_way_to_get_it(
    tmp_path: Path,
) -> None:
    given = settings(tmp_path).model_copy(update={"auxdata": tmp_path / "auxdata"})
    (told,) = [one for one in SnapEngine(given).availability().notes if "EGM96" in one]
    place = tmp_path / "auxdata" / "dem" / "egm96" / "ww15mgh_b.zip"
    assert "https://step.esa.int/auxdata/dem/egm96/ww15mgh_b.zip" in told
    assert str(place) in told
    place.parent.mkdir(parents=True)
    place.touch()
    assert not [one for one in SnapEngine(given).availability().notes if "EGM96" in one]


def test_what_is_not_installed_is_said_with_the_way_to_get_it(tmp_path: Path) -> None:
    engine = SnapEngine(Snap(gpt=tmp_path / "gpt", snaphu=tmp_path / "snaphu"))
    found = engine.availability()
    assert [one.what for one in found.missing] == ["SNAP", "snaphu"]
    assert "step.esa.int" in found.missing[0].remedy
    with pytest.raises(ConfigurationError, match="no such program"):
        engine.fingerprint()


def test_the_machine_is_shared_out() -> None:
    import psutil

    gpt = find_gpt(Snap(gpt=Path("/bin/true")))
    machine = psutil.virtual_memory().total / 2**30
    assert gpt.heap_gb == pytest.approx(0.7 * machine)
    assert gpt.cache_gb == pytest.approx(0.42 * machine)
    assert find_gpt(Snap(gpt=Path("/bin/true"), memory_gb=4, cache_gb=9)).cache_gb == 4


def test_orbit_files_lie_where_snap_looks(tmp_path: Path) -> None:
    """By the month of the pass and by that of the file's beginning, packed as SNAP packs them."""
    file = (
        tmp_path / "S1A_OPER_AUX_POEORB_OPOD_20231021T080638_V20230930T225942_20231002T005942.EOF"
    )
    file.write_bytes(b"<orbit/>")
    shared = tmp_path / "shared"
    for name in ("dem/egm96", "Orbits/Sentinel-1"):
        (shared / name).mkdir(parents=True)
    (shared / "dem" / "egm96" / "ww15mgh_b.zip").touch()
    track = np.zeros((4, 3))
    orbit = Orbit.from_vectors(
        np.arange(4) * np.timedelta64(10, "s") + np.datetime64("2023-10-01", "ns"), track, track,
        "POEORB",
    )  # fmt: skip
    chosen = ChosenOrbit(orbit, file, "")
    start = datetime(2023, 10, 1, 6, tzinfo=UTC)
    own = ChosenOrbit(orbit, None, "")
    user = tmp_path / "user"
    assert lay_out_user_dir(user, shared, [(chosen, start), (own, start)]) == ("POEORB", None)
    found = sorted(path.relative_to(user) for path in user.rglob("*.EOF.zip"))
    place = "auxdata/Orbits/Sentinel-1/POEORB/S1A/2023"
    assert [str(one.parent) for one in found] == [f"{place}/09", f"{place}/10"]
    with zipfile.ZipFile(user / found[0]) as archive:
        assert archive.read(file.name) == b"<orbit/>"
    # The geoid is the machine's; its orbit files are not.
    assert (user / "auxdata" / "dem" / "egm96" / "ww15mgh_b.zip").is_file()
    assert not (user / "auxdata" / "Orbits").is_symlink()


def test_snaphu_is_run_as_snap_wrote_it_down(tmp_path: Path) -> None:
    folder = tmp_path / "snaphu" / "looked"
    folder.mkdir(parents=True)
    rows, cols = 40, 50
    ramp = (np.arange(cols) * 0.4 + np.zeros((rows, 1))).astype("<f4")
    np.angle(np.exp(1j * ramp)).astype("<f4").tofile(folder / "Phase_ifg.snaphu.img")
    np.full((rows, cols), 0.9, "<f4").tofile(folder / "coh.snaphu.img")
    (folder / "UnwPhase_ifg.snaphu.hdr").touch()
    conf = folder / "snaphu.conf"
    conf.write_text(
        "# Command to call snaphu:\n#\n#       snaphu -f snaphu.conf Phase_ifg.snaphu.img 50\n"
        "STATCOSTMODE DEFO\nINITMETHOD MCF\nCORRFILE coh.snaphu.img\n"
        "OUTFILE UnwPhase_ifg.snaphu.img\nINFILEFORMAT FLOAT_DATA\nCORRFILEFORMAT FLOAT_DATA\n"
        "OUTFILEFORMAT FLOAT_DATA\nNCORRLOOKS 20\n"
    )
    program = find_snaphu(Snap())
    header = unwrap_export(program, tmp_path / "snaphu", tmp_path / "log", 60)
    found = np.fromfile(header.with_suffix(".img"), "<f4").reshape(rows, cols)
    assert np.ptp(found - ramp) < 1e-3
    conf.write_text(conf.read_text().replace("DEFO", "NONSENSE"))
    with pytest.raises(ProgramError, match="snaphu ended with exit status"):
        unwrap_export(program, tmp_path / "snaphu", tmp_path / "log", 60)
    conf.write_text("nothing\n")
    with pytest.raises(GeobservatoryError, match=r"no snaphu.conf with a command"):
        unwrap_export(program, tmp_path / "snaphu", tmp_path / "log", 60)


def test_an_orbit_file_that_is_not_there_ends_the_run(tmp_path: Path, product: Path) -> None:
    """SNAP must not go on with other vectors: continueOnFail is false."""
    from geobservatory.engines.snap.catalogue import operators

    said = operators()["Apply-Orbit-File"].errors["missing"]
    program = tmp_path / "gpt"
    first = said.splitlines()[0].format(time="04-Sep-2023")
    program.write_text(
        f"#!/bin/sh\n[ $1 = --diag ] && echo SNAP Release version 9.0.0 && exit 0\n"
        f"echo 'Error: [NodeId: Apply-Orbit-File-reference] {first}'\nexit 1\n"
    )
    program.chmod(0o755)
    with pytest.raises(InputError, match=r"does not take the orbit file.*04-Sep-2023"):
        work(find_gpt(Snap(gpt=program, memory_gb=1)), copy(product), tmp_path)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"deleteOutputOnFailures": "true"}, "Unknown element 'deleteOutputOnFailures'"),
        ({"writeEntireTileRows": "1"}, "Value for 'writeEntireTileRows' is invalid: '1'"),
        ({"formatName": "NetCDF"}, "Value for 'formatName' is invalid: 'NetCDF'"),
    ],
)
def test_the_stand_in_takes_only_what_the_catalogue_allows(
    tmp_path: Path, product: Path, parameters: dict[str, str], said: str
) -> None:
    """As the real gpt does, it ends with status 1 and names node, operator and parameter."""
    graph = copy(product)
    graph.put(Node("Write", "Write", ("Read",), {**graph["Write"].parameters, **parameters}))
    assert f"Error: [NodeId: Write] Operator 'Write': {said}" in _stand_in(tmp_path, graph)


def test_the_stand_in_objects_to_a_wrong_order(tmp_path: Path, product: Path) -> None:
    graph = copy(product)
    graph.put(Node("Write", "Interferogram", ("Read",), {}))
    found = _stand_in(tmp_path, graph)
    assert "Error: [NodeId: Write] Interferogram does not take what Read leaves" in found


def _stand_in(folder: Path, graph: Graph) -> str:
    graph.write(folder / "graph.xml")
    call = [settings(folder).gpt, folder / "graph.xml", f"-J-Dsnap.userdir={folder / 'user'}"]
    ended = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stdout
