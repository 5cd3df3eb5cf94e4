"""Graphs of SNAP's operators: composed, written as the XML that `gpt` and pyroSAR read, read back.

The form is SNAP's own (`graph id="Graph"`, version 1.0, a `node` an operator); the element
`applicationData` at the end is what pyroSAR's `Workflow` and SNAP's Graph Builder put places into.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree  # written by us, and read with a parser that takes no entities

from lxml import etree

from geobservatory.errors import InputError
from geobservatory.files import written_whole

_PARAMETERS = "com.bc.ceres.binding.dom.XppDomElement"


@dataclass(frozen=True)
class Node:
    """One operator at work.

    Attributes
    ----------
    id
        Unique in the graph.
    sources
        Identifiers of the nodes whose output goes in, in order.
    parameters
        As text, as the graph has them.
    """

    id: str
    operator: str
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


class Graph:
    """Operators joined; nodes stand in the order they were added, sources before their users."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def add(
        self, operator: str, *sources: str, name: str = "", **parameters: str | int | float | bool
    ) -> str:
        """Add an operator and give its identifier.

        Parameters
        ----------
        sources
            Identifiers of the nodes whose output goes in.
        name
            Told apart from others of the operator by it.
        """
        identifier = f"{operator}-{name}" if name else operator
        if identifier in self._nodes:
            raise ValueError(f"{identifier} is in the graph already")
        texts = {key: _text(value) for key, value in parameters.items()}
        self._nodes[identifier] = Node(identifier, operator, sources, texts)
        return identifier

    def put(self, node: Node) -> None:
        """Add a node as it is, in place of one of its identifier."""
        self._nodes[node.id] = node

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __getitem__(self, identifier: str) -> Node:
        return self._nodes[identifier]

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._nodes

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Files that the graph writes."""
        return tuple(Path(one.parameters["file"]) for one in self if one.operator == "Write")

    def write(self, path: Path) -> None:
        """Write the graph as XML, whole under its name."""
        root = ElementTree.Element("graph", id="Graph")
        ElementTree.SubElement(root, "version").text = "1.0"
        for node in self:
            element = ElementTree.SubElement(root, "node", id=node.id)
            ElementTree.SubElement(element, "operator").text = node.operator
            sources = ElementTree.SubElement(element, "sources")
            for number, source in enumerate(node.sources):
                tag = "sourceProduct" if number == 0 else f"sourceProduct.{number}"
                ElementTree.SubElement(sources, tag, refid=source)
            parameters = ElementTree.SubElement(element, "parameters", {"class": _PARAMETERS})
            for key, value in node.parameters.items():
                ElementTree.SubElement(parameters, key).text = value
        place = ElementTree.SubElement(root, "applicationData", id="Presentation")
        ElementTree.SubElement(place, "Description")
        ElementTree.indent(root)
        with written_whole(path) as beside:
            ElementTree.ElementTree(root).write(beside, encoding="utf-8", xml_declaration=True)


def read_graph(path: Path) -> Graph:
    """Read a graph from XML.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        root = etree.fromstring(
            path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except (OSError, etree.XMLSyntaxError) as error:
        raise InputError(f"{path}: is no graph: {error}") from error
    graph = Graph()
    for element in root.iterfind("node"):
        graph.put(
            Node(
                element.get("id", ""),
                (element.findtext("operator") or "").strip(),
                tuple(one.get("refid", "") for one in element.iterfind("sources/*")),
                {
                    str(one.tag): (one.text or "").strip()
                    for one in element.iterfind("parameters/*")
                    if isinstance(one.tag, str)
                },
            )
        )
    return graph


def _text(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
