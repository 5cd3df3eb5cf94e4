"""Room on the disk, reserved before a file comes."""

import ctypes
import errno
import os

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


def allocate(fd: int, stop: int, first: int = 0) -> bool:
    """Reserve room for the bytes from `first` up to `stop` of a file, which keeps its length.

    False where it cannot be. The kernel counts the room as taken, for every process, until the
    file is cut or removed, or it is given back.
    """
    number = _fallocate(fd, _KEEP_SIZE, first, stop)
    if number in FULL:
        raise OSError(number, os.strerror(number))
    return number == 0


def give_back(fd: int, stop: int, first: int) -> None:
    """Make the bytes from `first` up to `stop` of a file a hole, where the disk can."""
    _fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, first, stop)


def _fallocate(fd: int, mode: int, first: int, stop: int) -> int:
    """Call the kernel; gives the number of the error, 0 where there was none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        return errno.ENOSYS
    offset = ctypes.c_int64
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, offset, offset]
    if libc.fallocate(fd, mode, first, stop - first) == 0:
        return 0
    return ctypes.get_errno()
