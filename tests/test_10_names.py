"""Product names: read and written again, whatever their age."""

import json
from pathlib import Path

import pytest

from geobservatory.errors import InputError
from geobservatory.sentinel1.names import parse_name

NAMES = [
    "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1",
    "S1B_IW_SLC__1SDV_20210401T052622_20210401T052650_026269_032297_EFA4",
    "S1A_IW_SLC__1SSV_20141006T165000_20141006T165027_002711_003099_1234",
    "S1C_IW_SLC__1SDV_20250401T052622_20250401T052650_001700_0032A7_00FF",
    "S1A_EW_GRDM_1SDH_20160401T052622_20160401T052722_010617_00FC9A_ABCD",
]


@pytest.mark.parametrize("name", NAMES)
def test_written_as_read(name: str) -> None:
    assert str(parse_name(name)) == name
    assert str(parse_name(name + ".SAFE.zip")) == name


def test_relative_orbits_as_the_manifests_have_them() -> None:
    assert parse_name(NAMES[0]).relative_orbit == 52
    assert parse_name(NAMES[1]).relative_orbit == 168
    assert parse_name(NAMES[3]).relative_orbit == 129


@pytest.mark.parametrize(
    ("mission", "orbit", "track"), [("S1C", 8018, 147), ("S1C", 8019, 46), ("S1D", 2389, 73)]
)
def test_relative_orbits_of_the_new_satellites(mission: str, orbit: int, track: int) -> None:
    """As published for the last and first orbits about a manoeuvre, and by a manifest of S1D."""
    name = f"{mission}_IW_SLC__1SDV_20260608T052622_20260608T052650_{orbit:06d}_0032A7_00FF"
    assert parse_name(name).relative_orbit == track
    assert not parse_name(name).is_numbered_for_good


def test_relative_orbits_of_a_mission_teams_pairs(shared_data: Path) -> None:
    pairs = json.loads((shared_data / "pairs" / "coseismic-pairs.json").read_text())
    checked = 0

    def visit(node: object, track: int | None) -> None:
        nonlocal checked
        if isinstance(node, dict):
            track = node.get("relative_orbit", node.get("track", track))
            for below in node.values():
                visit(below, track)
        elif isinstance(node, list):
            for below in node:
                visit(below, track)
        elif isinstance(node, str) and node.startswith("S1") and track is not None:
            assert parse_name(node).relative_orbit == int(track)
            checked += 1

    visit(pairs, None)
    assert checked > 100


@pytest.mark.parametrize(
    "name", ["", "S2A_MSIL1C", NAMES[0].lower(), NAMES[0].replace("0904T", "1340T"), "S1A/../x"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        parse_name(name)


def test_reprocessed_products_are_of_one_acquisition() -> None:
    again = NAMES[0].replace("DAA1", "BEEF")
    assert parse_name(again).same_acquisition == parse_name(NAMES[0]).same_acquisition
