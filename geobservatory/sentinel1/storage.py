"""Where the files of a product lie: in a folder, or in a zip that is not unpacked."""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from geobservatory.errors import InputError

# What reading a damaged file or zip raises; RuntimeError is that of an encrypted zip.
DAMAGE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Storage(Protocol):
    """The files of one product."""

    @property
    def name(self) -> str:
        """Name of the product's top folder."""

    @property
    def members(self) -> dict[str, int]:
        """Name inside the product (``annotation/…``) to size in bytes."""

    def open(self, member: str) -> IO[bytes]:
        """Open a member for reading; it can be searched, backwards slowly where compressed."""

    def place(self, member: str) -> tuple[Path, int] | None:
        """File and offset at which a member lies as it is, or None where it is compressed."""


@dataclass(frozen=True)
class FolderStorage:
    """A product unpacked in a folder."""

    path: Path
    name: str
    members: dict[str, int]

    def open(self, member: str) -> IO[bytes]:
        """Open a member for reading."""
        return (self.path / member).open("rb")

    def place(self, member: str) -> tuple[Path, int] | None:
        """Every member lies in a file of its own."""
        return self.path / member, 0


@dataclass(frozen=True)
class ZipStorage:
    """A product in a zip, whose top folder it is."""

    path: Path
    name: str
    members: dict[str, int]

    def open(self, member: str) -> IO[bytes]:
        """Open a member for reading; the file stays open until the member is closed."""
        with zipfile.ZipFile(self.path) as archive:
            return archive.open(f"{self.name}/{member}")

    def place(self, member: str) -> tuple[Path, int] | None:
        """Members that were stored without compression lie in the zip as they are."""
        with zipfile.ZipFile(self.path) as archive:
            entry = archive.getinfo(f"{self.name}/{member}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            return None
        with self.path.open("rb") as file:
            file.seek(entry.header_offset)
            signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise zipfile.BadZipFile(f"no local header of {member}")
        # The name and extra field of the local header may differ in length from the directory's.
        return self.path, entry.header_offset + _LOCAL_HEADER.size + name + extra


def open_storage(path: Path) -> Storage:
    """Find the files of a product in a folder or zip; only their names and sizes are read.

    Raises
    ------
    InputError
        If it is neither, or a zip that is cut short or holds no one product.
    """
    if path.name == "manifest.safe":
        path = path.parent
    if path.is_dir():
        members = {
            str(file.relative_to(path).as_posix()): file.stat().st_size
            for file in path.rglob("*")
            if file.is_file()
        }
        return FolderStorage(path, path.resolve().name, members)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (*DAMAGE, ValueError) as error:
        raise InputError(f"{path}: not a whole zip ({error}); fetch it again") from error
    roots = {name.split("/")[0] for name in entries if ".SAFE/" in name}
    if len(roots) != 1:
        raise InputError(f"{path}: holds {len(roots)} SAFE products; one is needed")
    root = roots.pop()
    members = {
        name.removeprefix(f"{root}/"): size
        for name, size in entries.items()
        if name.startswith(f"{root}/") and not name.endswith("/")
    }
    return ZipStorage(path, root, members)
