"""Where products lie in the archive: by the day of sensing, each under its own name.

archive/YYYY/MM/DD/NAME.SAFE.zip   the whole
archive/YYYY/MM/DD/NAME.SAFE/      a part of it (bursts, or the annotation alone)
archive/quarantine/                what was found damaged
"""

import os
from pathlib import Path

from geobservatory.sentinel1.names import parse_name

ZIP, FOLDER = ".SAFE.zip", ".SAFE"


def archive_folder(data_dir: Path) -> Path:
    """Name the archive of an installation."""
    return data_dir / "archive"


def quarantine_folder(archive: Path) -> Path:
    """Name the folder of what is damaged."""
    return archive / "quarantine"


def whole_path(archive: Path, name: str) -> Path:
    """Name the zip of a product, there or not; `InputError` where it is no product's name."""
    return archive / f"{parse_name(name).start:%Y/%m/%d}" / f"{name}{ZIP}"


def part_path(archive: Path, name: str) -> Path:
    """Name the folder of a part of a product, there or not."""
    return archive / f"{parse_name(name).start:%Y/%m/%d}" / f"{name}{FOLDER}"


def bytes_in(path: Path) -> int:
    """Count the bytes of a zip, or what a folder takes on the disk, where holes take nothing."""
    if not path.is_dir():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            status = os.lstat(Path(folder) / name)
            total += min(status.st_size, status.st_blocks * 512)
    return total
