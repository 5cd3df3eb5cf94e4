"""`geobs export --as`: which maps, whole folders, clear refusals."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from drawn_maps import GRID, Drawn, draw
from scipy.ndimage import binary_erosion
from typer.testing import CliRunner

from console.main import load_commands
from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.pairs import Pair
from geobservatory.errors import GeobservatoryError, InputError, NotFoundError
from geobservatory.events.form import ActivationForm
from geobservatory.files import folder_written_whole
from geobservatory.insar.map_grid import MapGrid
from geobservatory.products.formats.degrees import degrees_grid, phase_to_degrees, to_degrees
from geobservatory.products.formats.export import FORMATS, export_maps
from geobservatory.products.formats.made_map import maps_in, open_map
from geobservatory.products.formats.stacks import baselines_by_date, make_stacks

pytestmark = pytest.mark.one_database

SMALL = MapGrid(GRID.crs, GRID.left, GRID.top, GRID.step, 30, 40)


def quiet(what: str, share: float) -> None:
    return None


def small(**changes: object) -> Drawn:
    return dataclasses.replace(Drawn(grid=SMALL), **changes)  # type: ignore[arg-type]


def geobs(*arguments: str) -> Result:
    return CliRunner().invoke(load_commands(), list(arguments))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return draw(tmp_path / "made" / "map", small())


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_the_command_is_exported(made: Path, tmp_path: Path, form: str) -> None:
    done = geobs("export", str(made), "--as", form, "--out", str(tmp_path / "out"), "--json")
    assert done.exit_code == 0, done.exception
    told = json.loads(done.stdout)
    folder = tmp_path / "out" / f"map-{form}"
    assert told["folder"] == str(folder)
    assert {folder / one for one in told["files"]} == {
        path for path in folder.rglob("*") if path.is_file()
    }
    said = geobs("export", str(made.parent), "--as", form, "--out", str(tmp_path / "out"))
    assert f"files in {tmp_path / 'out' / f'made-{form}'}" in said.stdout
    assert "100% done" in said.stderr


def test_what_others_put_there_is_not_removed(made: Path, tmp_path: Path) -> None:
    """Programs leave their results where their input is."""
    out = tmp_path / "out"
    export_maps(maps_in(made), "mintpy", out, quiet)
    export_maps(maps_in(made), "mintpy", out, quiet)
    (out / "track-052D/timeseries.h5").write_text("a day's work")
    with pytest.raises(InputError, match=r"holds track-052D/timeseries\.h5, which this export"):
        export_maps(maps_in(made), "mintpy", out, quiet)
    assert (out / "track-052D/timeseries.h5").read_text() == "a day's work"
    assert (out / "track-052D/inputs/geometryGeo.h5").is_file()


def test_a_damaged_map_is_not_handed_on(made: Path, tmp_path: Path) -> None:
    path = made / "coherence.tif"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    for form in ("dimap", "mintpy"):
        with pytest.raises(
            InputError, match=r"coherence\.tif: is not what was made; `geobs retry`"
        ):
            export_maps(maps_in(made), form, tmp_path / "out", quiet)
    path.unlink()
    with pytest.raises(InputError, match=r"coherence\.tif: is not what was made"):
        export_maps(maps_in(made), "gamma", tmp_path / "out", quiet)
    assert {one.name for one in tmp_path.iterdir()} <= {"made", "data", "no-configuration"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not the metadata of a map"),
        ('{"properties": {}}', "proj:transform"),
        ("[]", "not the"),
    ],
)
def test_what_is_no_map_is_told(made: Path, content: str, message: str) -> None:
    (made / "metadata.json").write_text(content)
    with pytest.raises(InputError, match=message):
        maps_in(made)
    (made / "metadata.json").unlink()
    with pytest.raises(NotFoundError, match=r"holds no finished map \(metadata\.json"):
        open_map(made)
    with pytest.raises(NotFoundError, match="nor do the folders in it"):
        maps_in(made)


@pytest.mark.parametrize("form", ["mintpy", "licsbas", "kite"])
def test_a_map_that_was_not_unwrapped_has_no_place_there(
    made: Path, tmp_path: Path, form: str
) -> None:
    draw(made.parent / "wrapped", small(unwrapped=False, days=("20230816", "20230828")))
    done = export_maps(maps_in(made.parent), form, tmp_path / "out", quiet)
    assert done.left_out == {"wrapped": "it was made without unwrapping"}
    said = geobs("export", str(made.parent), "--as", form, "--out", str(tmp_path))
    assert "left out wrapped: it was made without unwrapping" in said.stdout
    with pytest.raises(InputError, match=f"{form} takes unwrapped phase, and wrapped has none"):
        export_maps([open_map(made.parent / "wrapped")], form, tmp_path / "out", quiet)


@pytest.mark.parametrize("form", ["dimap", "gamma"])
def test_wrapped_phase_alone_goes_to_those_that_take_it(tmp_path: Path, form: str) -> None:
    made = draw(tmp_path / "wrapped", small(unwrapped=False))
    done = export_maps(maps_in(made), form, tmp_path / "out", quiet)
    assert done.left_out == {}
    assert not [one for one in done.files if "unw" in one.name.lower()]


def test_tracks_are_stacks_of_their_own(tmp_path: Path) -> None:
    draw(tmp_path / "maps/a", small())
    draw(tmp_path / "maps/b", small(days=("20230828", "20230909"), orbit=45, direction="ascending"))
    other = MapGrid(SMALL.crs, SMALL.left + 13.0, SMALL.top, 40.0, 30, 40)
    draw(tmp_path / "maps/c", small(days=("20230916", "20230928"), grid=other))
    stacks = make_stacks(maps_in(tmp_path / "maps"))
    assert [len(one.maps) for one in stacks] == [1, 1, 1]
    assert [one.name for one in stacks] == ["045A", "052D", "052D-2"]
    draw(tmp_path / "maps/d", small())
    with pytest.raises(InputError, match="a and d are of the same two days"):
        make_stacks(maps_in(tmp_path / "maps"))


def test_baselines_of_days_fit_those_of_the_pairs(tmp_path: Path) -> None:
    days = ("20230101", "20230113", "20230125", "20230301", "20230313")
    true = dict(zip(days, (0.0, 40.0, -25.0, 0.0, 90.0), strict=True))
    for first, second in ((0, 1), (1, 2), (0, 2), (3, 4)):
        pair = days[first], days[second]
        drawn = small(days=pair, baseline_m=true[pair[1]] - true[pair[0]])
        draw(tmp_path / "-".join(pair), drawn)
    found = baselines_by_date(maps_in(tmp_path))
    assert found == pytest.approx(true, abs=1e-6)


def test_a_layer_comes_to_degrees_in_its_place() -> None:
    """Longitude and latitude themselves as layers, at two places, one over the antimeridian."""
    for crs, left, top in (("EPSG:32629", 700_000.0, 4_000_000.0), ("EPSG:32601", 384_000.0, 8e6)):
        grid = MapGrid(crs, left, top, 100.0, 150, 250)
        latitude, longitude = grid.places(0, grid.rows)
        target = degrees_grid([grid])
        cols, rows = np.meshgrid(np.arange(target.cols) + 0.5, np.arange(target.rows) + 0.5)
        x, y = target.transform @ (cols, rows)
        found = to_degrees((latitude - latitude.mean()).astype(np.float32), grid, target)
        # Within half a cell of the edge there is nothing to interpolate to.
        inside = binary_erosion(np.isfinite(found), iterations=2)
        assert inside.mean() > 0.8
        cell = target.transform.a, -target.transform.e
        away = found[inside] - (y - latitude.mean())[inside]
        assert np.abs(away).max() < 0.012 * cell[1]
        found = to_degrees((longitude - longitude.mean()).astype(np.float32), grid, target)
        east = (x - longitude.mean() + 180) % 360 - 180
        assert np.abs(found[inside] - east[inside]).max() < 0.012 * cell[0]
        # Both edges of the map are there, whichever side of 180 they are on.
        assert target.transform.c <= longitude.min()
        assert target.transform.c + target.cols * target.transform.a >= longitude.max()
    assert any(longitude.min() < one < longitude.max() for one in (-180, 180))


def test_phase_keeps_its_whole_turns_over_a_jump() -> None:
    phase = np.zeros((40, 60), np.float32)
    phase[:, 30:] = 6 * np.pi
    phase += np.linspace(0, 2, 60, dtype=np.float32)
    grid = dataclasses.replace(SMALL, rows=40, cols=60)
    found = phase_to_degrees(phase, grid, degrees_grid([grid]))
    known = found[np.isfinite(found)]
    steps = np.where(known > 9, known - 6 * np.pi, known)
    assert steps.min() >= -0.1
    assert steps.max() <= 2.1


def test_gamma_has_no_header_for_the_poles(tmp_path: Path) -> None:
    polar = MapGrid("EPSG:32661", 2_000_000.0, 2_300_000.0, 40.0, 30, 40)
    made = draw(tmp_path / "polar", small(grid=polar))
    with pytest.raises(InputError, match="not for EPSG:32661"):
        export_maps(maps_in(made), "gamma", tmp_path / "out", quiet)
    with pytest.raises(InputError, match="beyond 85 degrees"):
        export_maps(maps_in(made), "kite", tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    with folder_written_whole(folder) as beside:
        (beside / "a").write_text("1")
    with folder_written_whole(folder) as beside:
        (beside / "b").write_text("2")
    assert [one.name for one in folder.iterdir()] == ["b"]
    with pytest.raises(RuntimeError), folder_written_whole(folder) as beside:
        (beside / "c").write_text("3")
        raise RuntimeError
    assert [one.name for one in folder.iterdir()] == ["b"]
    # Another process comes in between.
    with folder_written_whole(folder) as beside:
        (beside / "d").write_text("4")
        with folder_written_whole(folder) as other:
            (other / "e").write_text("5")
    assert [one.name for one in folder.iterdir()] == ["d"]
    assert [one.name for one in folder.parent.iterdir()] == ["folder"]
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="in the way"), folder_written_whole(tmp_path / "file"):
        pass


def test_what_a_killed_export_left_is_swept(made: Path, tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from geobservatory.files import folder_written_whole\n"
        "with folder_written_whole(pathlib.Path(sys.argv[1])) as beside:\n"
        "    (beside / 'half').write_text('x'); os.kill(os.getpid(), 9)\n"
    )
    out = tmp_path / "out" / "map-kite"
    killed = subprocess.run([sys.executable, "-c", script, str(out)], check=False)
    assert killed.returncode == -9
    assert not out.exists()
    assert len(os.listdir(out.parent)) == 1  # noqa: PTH208
    assert geobs("export", str(made), "--as", "kite", "--out", str(out.parent)).exit_code == 0
    assert [one.name for one in out.parent.iterdir()] == ["map-kite"]


def test_a_target_that_cannot_be_written_is_named(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = geobs("export", str(made), "--as", "gamma", "--out", str(tmp_path / "file"))
    assert isinstance(done.exception, GeobservatoryError)
    assert "map-gamma: cannot be written: " in str(done.exception)


PAIRS = (
    "co-event-052-20230904T063732-20230916T063732",
    "pre-event-052-20230823T063732-20230904T063732",
)


@pytest.fixture
def activation(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Record an activation with maps of two pairs, one of them in two versions."""
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    products = tmp_path / "data" / "products"
    with open_catalog(database_url) as catalog:
        form = ActivationForm(
            event_time=datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC), longitude=-8.4, latitude=31.1
        )
        identifier = catalog.request_activation(form.to_request())[0].id
        catalog.record_pairs(identifier, [_pair(one) for one in PAIRS])
        for number, pair in enumerate((*PAIRS, PAIRS[0])):
            folder = products / _finish(catalog, identifier, pair, f"digest {number}")
            days = tuple(one[:8] for one in pair.split("-")[-2:])
            draw(folder, small(days=days, title=f"version {number}"))
    return identifier


def _pair(name: str) -> Pair:
    kind = name.split("-052")[0]
    first, second = (
        datetime.strptime(f"{one}Z", "%Y%m%dT%H%M%S%z") for one in name.split("-")[-2:]
    )
    return Pair(name, kind, 52, "descending", first, second, ("a",), ("b",), 0.5, 0, (), "best")


def _finish(catalog: Catalog, activation: str, pair: str, digest: str) -> str:
    begun = catalog.begin_interferogram(activation, pair, "native", digest)
    catalog.finish_interferogram(begun.id, "good", {}, {}, {}, {})
    return begun.folder


def test_an_activation_is_exported_with_its_newest_maps(activation: str, tmp_path: Path) -> None:
    done = geobs("export", activation[:15], "--as", "kite", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.exception
    folder = tmp_path / "out" / f"{activation}-kite"
    names = {one.name for one in folder.iterdir()}
    assert names == {
        f"{one}.{end}" for one in (f"{PAIRS[0]}-v2", PAIRS[1]) for end in ("npz", "yml")
    }
    assert "version 2" in (folder / f"{PAIRS[0]}-v2.yml").read_text()


def test_a_pair_is_exported_by_its_name(activation: str, tmp_path: Path) -> None:
    names = {
        "co-event": 2,
        PAIRS[0]: 2,
        f"{activation}:co-event": 2,
        f"{activation}:{PAIRS[0]}-v1": 0,
        f"{PAIRS[0]}-v1": 0,
        PAIRS[1]: 1,
    }
    for name, version in names.items():
        done = geobs("export", name, "--as", "kite", "--out", str(tmp_path / "out"), "--json")
        assert done.exit_code == 0, done.exception
        told = json.loads(done.stdout)
        (described,) = [one for one in told["files"] if one.endswith(".yml")]
        assert f"version {version}" in (Path(told["folder"]) / described).read_text(), name


def test_names_that_mean_nothing_or_too_much(activation: str, tmp_path: Path) -> None:
    def refused(name: str, *more: str) -> BaseException | None:
        return geobs("export", name, "--out", str(tmp_path / "out"), *more).exception

    with open_catalog(os.environ["GEOBS_DATABASE_URL"]) as catalog:
        twin = PAIRS[0].replace("T063732-", "T063800-")
        catalog.record_pairs(activation, [_pair(one) for one in (*PAIRS, twin)])
        folder = tmp_path / "data/products" / _finish(catalog, activation, twin, "twin")
    draw(folder, small())
    several = refused("co-event-052", "--as", "kite")
    assert isinstance(several, InputError)
    assert "is more than one map: " in str(several)
    assert isinstance(refused("nothing", "--as", "kite"), NotFoundError)
    # Without --as an activation is copied, and only that.
    assert isinstance(refused(PAIRS[1]), NotFoundError)
    shutil.rmtree(folder)
    gone = refused(activation, "--as", "dimap")
    assert isinstance(gone, NotFoundError)
    assert "holds no finished map" in str(gone)


def test_an_activation_without_maps_says_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOBS_DATABASE_URL", database_url)
    with open_catalog(database_url) as catalog:
        form = ActivationForm(
            event_time=datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC), longitude=-8.4, latitude=31.1
        )
        identifier = catalog.request_activation(form.to_request())[0].id
    done = geobs("export", identifier, "--as", "kite", "--out", "out")
    assert isinstance(done.exception, NotFoundError)
    assert f"{identifier} has no maps yet; `geobs show" in str(done.exception)


def test_without_as_the_files_of_an_activation_are_copied(activation: str, tmp_path: Path) -> None:
    folder = tmp_path / "data/products" / activation
    (folder / "index.html").write_text("page")
    digest = hashlib.sha256(b"page").hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  index.html\n")
    done = geobs("export", activation, "--out", str(tmp_path / "out"), "--json")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["files"] == ["index.html"]
    assert (tmp_path / "out" / activation / "index.html").read_text() == "page"
