"""Hubs for the tests of partial products: files in memory, and nodes of a sandbox's server."""

import dataclasses
import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import requests

from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.source import ProductGoneError, Reply, Source

TOKEN = "/auth/realms/CDSE/protocol/openid-connect/token"
Lie = Callable[["Bytes", int, int | None], Reply | None]


@dataclasses.dataclass
class Bytes:
    """A file in memory; `lie` may answer in its place."""

    hub: str
    name: str
    content: bytes
    size: int | None = None
    checksums: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lie: Lie | None = None
    sent: int = 0

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        if self.lie is not None and (reply := self.lie(self, first_byte, stop)) is not None:
            return reply
        return self.reply(first_byte, stop)

    def reply(self, first_byte: int, stop: int | None) -> Reply:
        return Reply(first_byte, len(self.content), self.pieces(first_byte, stop), lambda: None)

    def pieces(self, first_byte: int, stop: int | None, step: int = 1 << 16) -> Iterator[bytes]:
        stop = len(self.content) if stop is None else min(stop, len(self.content))
        for at in range(first_byte, stop, step):
            piece = self.content[at : min(at + step, stop)]
            self.sent += len(piece)
            yield piece


class Local:
    """A product in memory."""

    def __init__(self, path: Path, hub: str = "local", lie: Lie | None = None) -> None:
        self.hub = hub
        with zipfile.ZipFile(path) as archive:
            entries = {entry: archive.read(entry) for entry in archive.namelist()}
        self.name = min(entries).split(".SAFE/")[0]
        self.files = {
            name.split("/", 1)[1]: Bytes(hub, name, content, len(content), lie=lie)
            for name, content in entries.items()
        }

    @property
    def sent(self) -> int:
        return sum(one.sent for one in self.files.values())

    def only(self, start: str) -> Bytes:
        (found,) = (one for name, one in self.files.items() if name.startswith(start))
        return found

    def members(self) -> Mapping[str, int]:
        return {name: len(one.content) for name, one in self.files.items()}

    def source(self, member: str) -> Source:
        if member not in self.files:
            raise ProductGoneError(f"no {member}")
        return self.files[member]


@dataclasses.dataclass
class Nodes:
    """A product at a Copernicus Data Space, file by file."""

    name: str
    hub: str
    address: str
    token: str
    session: requests.Session = dataclasses.field(default_factory=requests.Session)

    def members(self) -> Mapping[str, int]:
        raise NotImplementedError

    def source(self, member: str) -> Source:
        nodes = "".join(f"/Nodes({part})" for part in (f"{self.name}.SAFE", *member.split("/")))
        return self.at(f"{nodes}/$value", member)

    def at(self, place: str, name: str) -> HttpSource:
        headers = {"Authorization": f"Bearer {self.token}"}
        return HttpSource(
            self.hub, name, self.address + place, headers=lambda: headers, session=self.session
        )


def bearer(address: str) -> str:
    form = {"client_id": "cdse-public", "grant_type": "password"}
    form |= {"username": "sandbox", "password": "sandbox"}
    answer = requests.post(address + TOKEN, data=form, timeout=5)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def tree(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder, but for what tells where they came from."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "partial.json"
    }


def on_disk(folder: Path) -> int:
    """Count the bytes that a folder takes on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def together(*works: Callable[[], object]) -> list[object]:
    """Do things at once; gives what each gave, or its error."""
    found: list[object] = [None] * len(works)

    def one(index: int) -> None:
        try:
            found[index] = works[index]()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            found[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


if __name__ == "__main__":  # a process to be killed
    import sys

    from shapely import wkt

    from geobservatory.transfer.partial import fetch_partial

    name, address, token, folder, area = sys.argv[1:]
    print("begins", flush=True)
    fetch_partial(Nodes(name, "cdse", address, token), Path(folder), wkt.loads(area))
    os._exit(0)
