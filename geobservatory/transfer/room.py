"""Room on the disk, reserved before a file comes."""

import ctypes
import errno
import os

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KEEP_SIZE = 1


def allocate(fd: int, size: int) -> bool:
    """Reserve room beyond the end of a file, which keeps its length; False where it cannot be.

    The kernel counts the room as taken, for every process, until the file is cut or removed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        return False
    offset = ctypes.c_int64
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, offset, offset]
    if libc.fallocate(fd, _KEEP_SIZE, 0, size) == 0:
        return True
    number = ctypes.get_errno()
    if number in FULL:
        raise OSError(number, os.strerror(number))
    return False
