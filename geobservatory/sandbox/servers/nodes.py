"""The files inside a product's zip, as a tree of nodes, each to be had on its own."""

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

from geobservatory.sandbox.servers.sending import Body

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
    tag
        Changes when the content does; empty for a folder.
    """

    parts: Parts
    size: int
    children: int
    tag: str

    @property
    def name(self) -> str:
        """Name, without its folders."""
        return self.parts[-1]

    @property
    def is_file(self) -> bool:
        """Whether it has content."""
        return bool(self.tag)


class Tree:
    """All nodes of a zip."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            files = {tuple(e.filename.split("/")): e for e in archive.infolist() if not e.is_dir()}
        below: dict[Parts, set[Parts]] = {(): set()}
        for parts in files:
            for depth in range(1, len(parts) + 1):
                below.setdefault(parts[: depth - 1], set()).add(parts[:depth])
        self._below = {folder: sorted(children) for folder, children in below.items()}
        self._nodes = {
            folder: Node(folder, 0, len(children), "") for folder, children in below.items()
        }
        for parts, entry in files.items():
            self._nodes[parts] = Node(parts, entry.file_size, 0, f"{entry.CRC:08x}")

    def node(self, parts: Parts) -> Node | None:
        """Find a node; the empty place is the product itself."""
        return self._nodes.get(parts)

    def children(self, parts: Parts) -> list[Node]:
        """List what a folder holds, by name."""
        return [self._nodes[child] for child in self._below.get(parts, [])]

    def body(self, node: Node) -> Body:
        """Take a file's content as the body of an answer."""

        def opened() -> BinaryIO:
            # The archive closes its file when the last member that was opened is closed.
            with zipfile.ZipFile(self._path) as archive:
                return cast(BinaryIO, archive.open("/".join(node.parts)))

        return Body(node.size, opened)


def tree_of(path: Path) -> Tree:
    """Read the tree of a zip; again only after the file changed."""
    return _tree(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _tree(path: Path, changed_ns: int) -> Tree:
    return Tree(path)
