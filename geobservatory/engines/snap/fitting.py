"""A graph fitted to a version of SNAP: what it lacks left out, where that changes nothing."""

from geobservatory.engines.snap.catalogue import operators, versions
from geobservatory.engines.snap.graph import Graph, Node
from geobservatory.errors import ConfigurationError


def major(version: str) -> str:
    """Take a version for the nearest that the catalogue speaks of."""
    known = versions()
    first = version.split(".")[0]
    return first if first in known else known[0] if int(first) < int(known[0]) else known[-1]


def fitting(graph: Graph, version: str) -> Graph:
    """Leave out what the version is known to lack."""
    here = major(version)
    for node in list(graph):
        known = operators()[node.operator].parameters if node.operator in operators() else {}
        for name in node.parameters:
            if name in known and here in known[name].not_in:
                graph = without(graph, node.id, name, version)
    return graph


def without(graph: Graph, identifier: str, parameter: str, version: str) -> Graph:
    """Leave a parameter out that the version does not know, where that changes nothing.

    Raises
    ------
    ConfigurationError
        If it would.
    """
    node = next((one for one in graph if one.id == identifier), None)
    value = None if node is None else node.parameters.get(parameter)
    if node is None or value is None or not _is_default(node, parameter, value):
        raise ConfigurationError(
            f"SNAP {version} has no {parameter} of {identifier}, which was to be {value}; take a "
            f"newer version (those known: {', '.join(versions())})"
        )
    out = Graph()
    for one in graph:
        kept = {key: text for key, text in one.parameters.items() if key != parameter}
        out.put(one if one is not node else Node(one.id, one.operator, one.sources, kept))
    return out


def _is_default(node: Node, parameter: str, value: str) -> bool:
    known = operators()[node.operator].parameters[parameter]
    return known.default is not None and known.default == value
