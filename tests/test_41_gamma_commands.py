"""GAMMA's commands against the written catalogue, and how a call of one ends, by stand-ins."""

import time
from pathlib import Path

import pytest
import standins
from standins.gamma_commands import install_gamma

from geobservatory.engines.gamma.catalogue import commands, files_of, problems
from geobservatory.engines.gamma.engine import GammaEngine
from geobservatory.engines.gamma.lay_out import write_bursts, write_tab
from geobservatory.engines.gamma.shell import Shell, find_home, version_of
from geobservatory.errors import ConfigurationError, GeobservatoryError, InputError
from geobservatory.program import LimitError, ProgramError
from geobservatory.settings.gamma import Gamma


def test_catalogue_is_consistent() -> None:
    for one in commands().values():
        assert one.module in ("ISP", "DIFF", "DISP", "LAT")
        assert one.document
        names = [argument.name for argument in one.arguments]
        assert len(set(names)) == len(names)
        # What may be left out comes last, but where a dash can hold its place.
        assert not one.arguments[0].optional or one.name in ("par_S1_SLC",)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("mcf pair.diff pair.cc - pair.unw 100 9", "invalid tri_mode: 9"),
        ("mcf pair.diff pair.cc - pair.unw wide", "invalid width: wide"),
        ("adf pair.diff pair.sm", "cc is missing"),
        ("adf pair.diff pair.sm cc 100 0.5 33", "invalid nfft: 33"),
        ("multi_look a b c d 10 2.5", "invalid azlks: 2.5"),
        ("multi_look - b c d 10 2", "SLC has to be given"),
        ("rdc_trans a b c d", "no command of the catalogue"),
        ("S1_OPOD_vec a b 3 4", "takes 3 arguments, not 4"),
        ("ScanSAR_coreg.py a b c d e f 10 2 --fast", "unrecognized arguments: --fast"),
    ],
)
def test_what_the_catalogue_does_not_allow_is_named(call: str, said: str) -> None:
    assert said in "; ".join(problems(call.split()))


def test_files_of_a_call() -> None:
    call = ["par_S1_SLC", "a.tiff", "a.xml", "-", "-", "a.par", "a.slc", "a.tops", "1"]
    assert list(problems(call)) == []
    assert files_of(call) == (("a.tiff", "a.xml"), ("a.par", "a.slc", "a.tops"))
    script = ["ScanSAR_coreg.py", *"abcdef", "10", "2", "--no_int", "--wdir", "."]
    assert list(problems(script)) == []


def test_lists_and_tables(tmp_path: Path) -> None:
    write_tab(tmp_path / "tab", ["a.slc", "b.slc"])
    assert (tmp_path / "tab").read_text() == (
        "a.slc a.slc.par a.slc.tops_par\nb.slc b.slc.par b.slc.tops_par\n"
    )
    write_bursts(tmp_path / "bursts", [(1, 3), (2, 4)])
    assert (tmp_path / "bursts").read_text() == "1 3\n2 4\n"


def shell(folder: Path, limit_h: float = 1, **switches: str) -> Shell:
    home = install_gamma(folder / "GAMMA_SOFTWARE-20250625", **switches)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for name in ("a", "b"):
        (work / name).write_text("x")
    return Shell(
        Gamma(home=home, time_limit_h=limit_h), work, work / "gamma.log", work / "gamma-commands.sh"
    )


OFFSET = ("create_offset", "a", "b", "off", 1, 10, 2, 0)


def test_a_call_is_logged_and_written_into_the_script(tmp_path: Path) -> None:
    shell(tmp_path)(*OFFSET)
    work = tmp_path / "work"
    assert "interferogram_range_looks:          10" in (work / "off").read_text()
    script = (work / "gamma-commands.sh").read_text()
    assert script.splitlines()[-1] == "create_offset a b off 1 10 2 0"
    assert str(tmp_path) not in script
    assert "create_offset ended" in (work / "gamma.log").read_text()


def test_what_a_run_before_had_finished_is_not_run_again(tmp_path: Path) -> None:
    shell(tmp_path)(*OFFSET)
    log = (tmp_path / "work" / "gamma.log").read_text()
    shell(tmp_path)(*OFFSET)
    assert (tmp_path / "work" / "gamma.log").read_text() == log
    # With other arguments, or its file gone, it is.
    (tmp_path / "work" / "off").unlink()
    shell(tmp_path)(*OFFSET)
    assert (tmp_path / "work" / "off").is_file()
    shell(tmp_path)(*OFFSET[:5], 20, 4, 0)
    assert "20" in (tmp_path / "work" / "off").read_text()


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        ("status-0", "although it ended with exit status 0: ERROR: image data formats differ"),
        ("silent", "ended as if all were well, and left no off"),
        ("killed", "was killed by SIGKILL.*memory"),
        ("python", "failed: Traceback"),
    ],
)
def test_every_known_way_to_fail(tmp_path: Path, fail: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said) as caught:
        shell(tmp_path, fail=fail)(*OFFSET)
    assert "gamma.log" in str(caught.value)


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(LimitError, match="took more than"):
        shell(tmp_path, 2 / 3600, fail="hangs")(*OFFSET)
    assert time.monotonic() - started < 60


def test_what_cannot_be_is_refused_before_the_command_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="GAMMA would refuse"):
        shell(tmp_path)("create_offset", "a", "b", "off", 3)
    with pytest.raises(GeobservatoryError, match="nobody is not there to be read"):
        shell(tmp_path)("create_offset", "nobody", "b", "off")
    assert not (tmp_path / "work" / "gamma.log").exists()


def test_stand_ins_take_only_what_the_catalogue_allows(tmp_path: Path) -> None:
    import subprocess

    home = install_gamma(tmp_path / "home")
    call = [home / "ISP/bin/create_offset", "a", "b", "off", "7"]
    ended = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "ERROR: create_offset: invalid algorithm: 7" in ended.stdout
    assert "usage: create_offset <SLC1_par> <SLC2_par> <OFF_par>" in ended.stdout


def test_former_names_serve_where_the_present_ones_are_not_installed(tmp_path: Path) -> None:
    home = install_gamma(tmp_path / "GAMMA_SOFTWARE-20181130", former=True)
    found = GammaEngine(Gamma(home=home)).availability()
    assert (found.version, found.missing) == ("20181130", ())
    (home / "DIFF/scripts/S1_coreg_TOPS").unlink()
    found = GammaEngine(Gamma(home=home)).availability()
    assert [one.what for one in found.missing] == ["ScanSAR_coreg.py"]
    assert "nor S1_coreg_TOPS" in found.missing[0].remedy


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAMMA_HOME", raising=False)
    (missing,) = GammaEngine(Gamma()).availability().missing
    assert "neither engine.gamma.home nor GAMMA_HOME" in missing.remedy
    with pytest.raises(ConfigurationError, match="no such folder"):
        find_home(Gamma(home=tmp_path / "nowhere"))
    monkeypatch.setenv("GAMMA_HOME", str(tmp_path))
    assert find_home(Gamma()) == tmp_path


def test_version_by_a_banner(tmp_path: Path) -> None:
    standins.install(tmp_path / "ISP" / "bin", "gamma_commands", ["par_S1_SLC"])
    assert version_of(tmp_path) == "1-Jan-2025"
