"""What pyroSAR makes of our graphs, commands and parameter files: `make pyrosar` runs it.

It is no part of `make test`, because GDAL's bindings have to be compiled for it.
"""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import standins  # noqa: E402
from shims import before_import  # noqa: E402
from standins.gamma_commands import install_gamma  # noqa: E402
from test_40_snap_graphs import graphs, plan  # noqa: E402
from test_41_gpt import copy, product, work  # noqa: E402, F401

from geobservatory.engines.gamma.shell import Shell  # noqa: E402
from geobservatory.engines.snap.catalogue import operators, problems  # noqa: E402
from geobservatory.engines.snap.gpt import find_gpt  # noqa: E402
from geobservatory.engines.snap.graph import read_graph  # noqa: E402
from geobservatory.settings.gamma import Gamma  # noqa: E402
from geobservatory.settings.snap import Snap  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    before_import(folder)
    return folder


def test_workflow_reads_and_edits_our_graphs(tmp_path: Path) -> None:
    """Every graph: nodes in our order, sources as we set them, parameters that can be changed."""
    from pyroSAR.snap.auxil import Workflow, is_consistent

    for number, ours in enumerate(graphs(plan())):
        path = tmp_path / f"{number}.xml"
        ours.write(path)
        theirs = Workflow(str(path))
        assert theirs.ids == [node.id for node in ours]
        assert theirs.operators == sorted({node.operator for node in ours})
        # To pyroSAR every node has to end in a Write; SnaphuExport writes by itself.
        assert is_consistent(theirs) or "SnaphuExport" in theirs.operators
        for node in ours:
            assert {k: v or "" for k, v in theirs[node.id].parameters.dict().items()} == (
                node.parameters
            )
        theirs.set_par("demResamplingMethod", "BICUBIC_INTERPOLATION")
        theirs.write(str(path))
        again = read_graph(path)
        assert list(problems(again)) == []
        assert [node.sources for node in again] == [node.sources for node in ours]
        assert all(
            node.parameters.get("demResamplingMethod", "BICUBIC_INTERPOLATION")
            == "BICUBIC_INTERPOLATION"
            for node in again
        )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay the stand-in out as pyroSAR looks for SNAP: `snap` in the PATH, `etc` beside."""
    standins.install(tmp_path / "snap" / "bin", "snap_gpt", ["snap", "gpt"])
    etc = tmp_path / "snap" / "etc"
    etc.mkdir()
    for name in ("snap.auxdata.properties", "snap.clusters", "snap.conf", "snap.properties"):
        (etc / name).touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'snap' / 'bin'}:{os.environ['PATH']}")
    from pyroSAR.examine import ExamineSnap

    toolbox = {"state": "Installed", "version": "10.0.0"}
    known = {"eu.esa.microwavetbx.microwavetbx.kit": toolbox}
    monkeypatch.setattr(ExamineSnap, "_version_dict", known)
    return tmp_path


@pytest.mark.parametrize("number", range(6))
def test_composed_by_pyrosar_a_graph_is_ours(installed: Path, number: int) -> None:
    """Node by node, as pyroSAR asks `gpt` for them and inserts them: what we wrote, exactly.

    What pyroSAR adds are defaults, which our graphs leave out.
    """
    from pyroSAR.snap.auxil import parse_node, parse_recipe

    ours = graphs(plan())[number]
    theirs = parse_recipe("blank")
    for node in ours:
        made = theirs.insert_node(
            parse_node(node.operator), before=list(node.sources) or None,
            resetSuccessorSource=False, void=False,
        )  # fmt: skip
        made.id = node.id
        for name, given in made.parameters.items():
            if name in node.parameters:
                made.parameters[name] = node.parameters[name]
                continue
            default = operators()[node.operator].parameters[name].default
            assert given in (None, default), (node.id, name)
            del made.parameters[name]
    path = installed / "theirs.xml"
    theirs.write(str(path))
    assert list(problems(read_graph(path))) == []
    assert {node.id: node for node in read_graph(path)} == {node.id: node for node in ours}


def test_a_node_of_pyrosar_fits_into_our_graph(tmp_path: Path) -> None:
    """One taken from a graph of ours, put into another by `insert_node`, keeps to the catalogue."""
    from pyroSAR.snap.auxil import Workflow

    path = tmp_path / "graph.xml"
    graphs(plan(filtered=False))[2].write(path)
    graphs(plan())[2].write(tmp_path / "filtered.xml")
    theirs = Workflow(str(path))
    node = Workflow(str(tmp_path / "filtered.xml"))["GoldsteinPhaseFiltering"]
    theirs.insert_node(node.copy(), before="Multilook")
    theirs.write(str(path))
    made = read_graph(path)
    assert list(problems(made)) == []
    assert made["Write"].sources == ("GoldsteinPhaseFiltering",)


def test_what_pyrosar_wrote_runs(tmp_path: Path, product: Path) -> None:  # noqa: F811
    from pyroSAR.snap.auxil import Workflow

    copy(product).write(tmp_path / "graph.xml")
    Workflow(str(tmp_path / "graph.xml")).write(str(tmp_path / "theirs.xml"))
    (program,) = standins.install(tmp_path / "bin", "snap_gpt", ["gpt"])
    gpt = find_gpt(Snap(gpt=program, memory_gb=1))
    work(gpt, read_graph(tmp_path / "theirs.xml"), tmp_path)


def test_parameter_files_are_read_by_pyrosar(tmp_path: Path) -> None:
    from affine import Affine
    from pyroSAR.gamma.auxil import ISPPar

    from geobservatory.products.formats.gamma import dem_parameters
    from geobservatory.products.formats.georeference import Georeference

    place = Georeference("EPSG:4326", Affine(0.001, 0, -8.5, 0, -0.001, 31.5), 60, 100)
    path = tmp_path / "dem.par"
    dem_parameters(place, "heights").write(path)
    with ISPPar(str(path)) as par:
        assert (par.width, par.nlines) == (100, 60)
        assert par.corner_lon == pytest.approx(-8.4995)


def test_a_command_of_the_script_runs_through_pyrosar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What our shell wrote into its script, given to pyroSAR's `process`, leaves the same file."""
    from pyroSAR.gamma.auxil import process

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        for name in ("a.par", "b.par"):
            (folder / name).write_text("x")
    home = install_gamma(tmp_path / "GAMMA_SOFTWARE-20250625")
    script = ours / "gamma-commands.sh"
    shell = Shell(Gamma(home=home), ours, ours / "gamma.log", script)
    shell("create_offset", "a.par", "b.par", "pair.off", 1, 10, 2, 0)
    monkeypatch.setenv("GAMMA_HOME", str(home))
    for module in home.iterdir():
        monkeypatch.setenv(f"{module.name}_HOME", str(module))
    call = script.read_text().splitlines()[-1].split()
    process(call, outdir=str(theirs), logpath=str(theirs), shellscript=str(theirs / "script.sh"))
    assert (theirs / "pair.off").read_bytes() == (ours / "pair.off").read_bytes()
    assert " ".join(call) in (theirs / "script.sh").read_text()
