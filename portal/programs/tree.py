"""The files inside a product as a tree of nodes: what a client names is looked up, never a path."""

from collections.abc import Mapping
from dataclasses import dataclass

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A file or a folder of a product.

    Attributes
    ----------
    parts
        Its place, from the SAFE folder down.
    size
        Bytes; 0 for a folder.
    children
        How many it holds; 0 for a file.
    """

    parts: Parts
    size: int
    children: int
    is_file: bool

    @property
    def name(self) -> str:
        """Name, without its folders."""
        return self.parts[-1]

    @property
    def member(self) -> str:
        """Place inside the SAFE folder."""
        return "/".join(self.parts[1:])


class Tree:
    """All nodes of a product.

    Parameters
    ----------
    safe
        Name of its folder.
    members
        Files inside it, with their sizes.
    """

    def __init__(self, safe: str, members: Mapping[str, int]) -> None:
        files: dict[Parts, int] = {
            (safe, *member.split("/")): size for member, size in members.items()
        }
        below: dict[Parts, set[Parts]] = {(): set(), (safe,): set()}
        for parts in files:
            for depth in range(1, len(parts) + 1):
                below.setdefault(parts[: depth - 1], set()).add(parts[:depth])
        self._below = {folder: sorted(children) for folder, children in below.items()}
        self._nodes = {
            folder: Node(folder, 0, len(children), False)
            for folder, children in below.items()
            if folder
        }
        for parts, size in files.items():
            self._nodes[parts] = Node(parts, size, 0, True)

    def node(self, parts: Parts) -> Node | None:
        """Find a node."""
        return self._nodes.get(parts)

    def children(self, parts: Parts) -> list[Node]:
        """List what a folder holds, by name; the empty place is the product itself."""
        return [self._nodes[child] for child in self._below.get(parts, [])]
