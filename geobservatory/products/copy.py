"""Take the folder of an activation elsewhere, every file held against its checksum."""

import hashlib
import shutil
from pathlib import Path

from geobservatory.errors import InputError, NotFoundError
from geobservatory.files import written_whole
from geobservatory.products.activation import SUMS

_PIECE = 1 << 20


def copy_activation(source: Path, target: Path) -> list[str]:
    """Copy all files that the folder's checksums list.

    What is there already and right is not copied again; the list of checksums comes last, so that
    a folder that has it is whole.

    Returns
    -------
    list of str
        Names of the files, in the folder.

    Raises
    ------
    NotFoundError
        If nothing is published there yet.
    InputError
        If a file is not what it was when it was published.
    OSError
        If the target cannot be written.
    """
    sums = source / SUMS
    if not sums.exists():
        raise NotFoundError(f"{source.name} has no maps yet; `geobs show {source.name}` says why")
    names = []
    for line in sums.read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ", 1)
        _copy(source / name, target / name, digest)
        names.append(name)
    with written_whole(target / SUMS) as beside:
        shutil.copyfile(sums, beside)
    return names


def _copy(source: Path, target: Path, digest: str) -> None:
    if target.exists() and _sha256(target) == digest:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with written_whole(target) as beside:
        with source.open("rb") as file, beside.open("wb") as copy:
            while piece := file.read(_PIECE):
                found.update(piece)
                copy.write(piece)
        if found.hexdigest() != digest:
            raise InputError(f"{source}: not what was published; `geobs retry` makes it again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
