"""SNAP's graphs against the written catalogue: what it allows, what it refuses, and the XML."""

from pathlib import Path

import pytest

from geobservatory.engines.snap import steps
from geobservatory.engines.snap.catalogue import operators, problems, require_valid, versions
from geobservatory.engines.snap.graph import Graph, Node, read_graph
from geobservatory.engines.spans import Span
from geobservatory.errors import InputError

ONE, TWO = Path("one.zip"), Path("two.zip")


def plan(**changes: object) -> steps.Plan:
    given = {
        "reference": steps.Pass((ONE,), "POEORB"),
        "secondary": steps.Pass((TWO,), "RESORB"),
        "polarisation": "VV",
        "spans": (Span("IW1", (1, 3), (2, 4)), Span("IW2", (1, 3), (2, 4))),
        "dem": Path("dem.tif"),
        "looks": (3, 11),
        "crs": "EPSG:32629",
        "spacing_m": 40.0,
    } | changes
    return steps.Plan(**given)  # type: ignore[arg-type]


def graphs(one: steps.Plan) -> list[Graph]:
    made = [steps.interferogram(one, span, Path(f"{span.swath}.dim")) for span in one.spans]
    return [
        *made,
        steps.look_down(one, [Path(f"{span.swath}.dim") for span in one.spans], Path("looked.dim")),
        steps.export(one, Path("looked.dim"), Path("snaphu"), 5000, 900),
        steps.take_in(Path("looked.dim"), Path("Unw.hdr"), Path("unwrapped.dim")),
        steps.to_map(one, Path("unwrapped.dim"), ("i", "q", "coh"), "Unw", Path("map")),
    ]


def test_catalogue_is_consistent() -> None:
    """Every default is allowed by its own parameter, every predecessor is an operator."""
    assert versions() == ("9", "10", "11", "12", "13")
    for one in operators().values():
        assert set(one.after) <= {*operators(), "*"}, one.name
        assert one.document
        for parameter in one.parameters.values():
            if parameter.default is not None:
                assert parameter.problem(parameter.default) is None, (one.name, parameter.name)
            assert set(parameter.not_in) <= set(versions())


@pytest.mark.parametrize("version", ["9.0.8", "10.0.0", "11.0.1", "12.0.0", "13.0.0", None])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spans": (Span("IW2", (4, 5), (3, 4)),)},
        {"spectral_diversity": False, "filtered": False},
        {"reference": steps.Pass((ONE, TWO), None)},
    ],
)
def test_all_graphs_keep_to_the_catalogue(version: str | None, changes: dict) -> None:
    for one in graphs(plan(**changes)):
        assert list(problems(one, version)) == []


def test_a_graph_holds_what_the_plan_says() -> None:
    graph = graphs(plan())[0]
    split = graph["TOPSAR-Split-secondary"].parameters
    assert (split["subswath"], split["firstBurstIndex"], split["lastBurstIndex"]) == (
        "IW1", "2", "4",
    )  # fmt: skip
    assert (
        graph["Apply-Orbit-File-secondary"]
        .parameters["orbitType"]
        .startswith("Sentinel Restituted")
    )
    assert graph["Back-Geocoding"].sources == (
        "Apply-Orbit-File-reference", "Apply-Orbit-File-secondary",
    )  # fmt: skip
    assert "Enhanced-Spectral-Diversity" in graph
    single = steps.interferogram(plan(), Span("IW1", (1, 1), (1, 1)), Path("x.dim"))
    assert "Enhanced-Spectral-Diversity" not in single
    sliced = graphs(plan(reference=steps.Pass((ONE, TWO), "POEORB")))[0]
    assert sliced["SliceAssembly-reference"].sources == ("Read-reference-1", "Read-reference-2")
    unmoved = graphs(plan(reference=steps.Pass((ONE,), None)))[0]
    assert "Apply-Orbit-File-reference" not in unmoved


def test_written_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    for number, one in enumerate(graphs(plan())):
        path = tmp_path / f"{number}.xml"
        one.write(path)
        assert list(read_graph(path)) == list(one)


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "graph.xml"
    path.write_text("<graph><node>")
    with pytest.raises(InputError, match="is no graph"):
        read_graph(path)


def changed(identifier: str, **parameters: str) -> Graph:
    graph = graphs(plan())[0]
    old = graph[identifier]
    graph.put(Node(old.id, old.operator, old.sources, {**old.parameters, **parameters}))
    return graph


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (changed("Interferogram", cohWinAz="three"), "Value for 'cohWinAz' is invalid: 'three'"),
        (changed("Interferogram", subtractTopographicPhase="yes"), "is invalid: 'yes'"),
        (changed("Interferogram", orbitDegree="9"), "is invalid: '9'"),
        (changed("Interferogram", wavelet="db4"), "Unknown element 'wavelet'"),
        (changed("TOPSAR-Split-reference", firstBurstIndex="0"), "out of range [1, *)"),
        (changed("TOPSAR-Split-reference", selectedPolarisations="VX"), "is invalid: 'VX'"),
        (changed("Write", file=""), "'file' must not be empty"),
    ],
)
def test_what_the_catalogue_does_not_allow_is_named(graph: Graph, said: str) -> None:
    with pytest.raises(InputError, match="SNAP would refuse") as caught:
        require_valid(graph)
    assert said in str(caught.value)


def test_order_and_number_of_sources_are_held() -> None:
    graph = Graph()
    read = graph.add("Read", file="one.zip")
    graph.add("Interferogram", read)
    graph.add("Back-Geocoding", read)
    graph.add("Despeckle", read)
    graph.add("Write", "nobody", file="x.dim")
    found = " | ".join(problems(graph))
    assert "Interferogram does not take what Read leaves" in found
    assert "Please select two source products" in found
    assert "SPI not found for operator 'Despeckle'" in found
    assert "Missing source" in found


def test_what_a_version_lacks_is_objected_to() -> None:
    graph = graphs(plan(single_swath=True))[0]
    assert any("enableSingleSwathMode" in one for one in problems(graph, "9"))
    assert list(problems(graph, "10")) == []
