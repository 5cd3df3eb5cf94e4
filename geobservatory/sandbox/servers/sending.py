"""Send bytes: the range asked for, in pieces, through the faults of the wire."""

import asyncio
import fcntl
import io
import re
import socket
import struct
import sys
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from aiohttp import web

from geobservatory.errors import InputError
from geobservatory.sandbox.servers.faults import (
    Bandwidth,
    Flip,
    Reset,
    Strike,
    Truncate,
    WrongLength,
)

# What a hub holds of a file in memory at a time, for each connection.
PIECE = 1 << 18
# How many bytes of the body have gone out.
SENT = web.RequestKey("sent", int)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Body:
    """Bytes to send: how many, and where to read them, opened when the sending begins."""

    size: int
    open: Callable[[], BinaryIO]


def file_body(path: Path) -> Body:
    """Take a file as the body."""
    return Body(path.stat().st_size, lambda: path.open("rb"))


def bytes_body(content: bytes) -> Body:
    """Take bytes in memory as the body."""
    return Body(len(content), lambda: io.BytesIO(content))


class UnsatisfiableRangeError(InputError):
    """A Range header asks for bytes that are not there."""


def requested_span(header: str | None, size: int) -> tuple[int, int] | None:
    """Read a Range header (RFC 9110, section 14.2).

    Parameters
    ----------
    header
        Its value.
    size
        Bytes of the whole.

    Returns
    -------
    (start, stop) or None
        The bytes asked for, stop not included; None where the whole is to be sent: no header, one
        not understood, or several ranges.

    Raises
    ------
    UnsatisfiableRangeError
        If none of the bytes are there.
    """
    match = _RANGE.fullmatch((header or "").replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        raise UnsatisfiableRangeError(f"{header!r} asks for bytes beyond {size}")
    return start, stop


@dataclass
class Wire:
    """What the wire does to one body."""

    stop: int
    ending: Literal["whole", "cut", "reset"] = "whole"
    declared: int = 0
    flips: dict[int, int] = field(default_factory=dict)
    bytes_per_s: float | None = None

    @classmethod
    def under(cls, strikes: tuple[Strike, ...], start: int, stop: int) -> "Wire":
        """Mix the faults that strike a body of bytes start to stop."""
        wire = cls(stop, declared=stop - start)
        rates = []
        for strike in strikes:
            match strike.fault:
                case Bandwidth(bytes_per_s=rate):
                    rates.append(rate)
                case Reset(after_bytes=n) | Truncate(after_bytes=n):
                    n = strike.chance.randrange(stop - start + 1) if n is None else n
                    # A body that is shorter than that is whole, and well.
                    if start + n <= wire.stop:
                        wire.stop = start + n
                        wire.ending = "reset" if isinstance(strike.fault, Reset) else "cut"
                case Flip(count=count):
                    for at in strike.chance.sample(range(start, stop), min(count, stop - start)):
                        wire.flips[at] = strike.chance.randrange(1, 256)
                case WrongLength(by=by):
                    wire.declared = max(0, wire.declared + by)
        wire.bytes_per_s = min(rates, default=None)
        return wire

    def through(self, at: int, data: bytes) -> bytes:
        """Pass bytes that stand at a place in the file."""
        here = {
            place - at: mask for place, mask in self.flips.items() if at <= place < at + len(data)
        }
        if not here:
            return data
        changed = bytearray(data)
        for place, mask in here.items():
            changed[place] ^= mask
        return bytes(changed)


async def send(
    request: web.Request,
    body: Body,
    headers: Mapping[str, str],
    strikes: tuple[Strike, ...] = (),
    *,
    status: int = 200,
    bytes_per_s: float | None = None,
) -> web.StreamResponse:
    """Answer with a body: 200, or 206 with the range asked for, or 416.

    Parameters
    ----------
    request
        What is answered; a HEAD gets the headers only.
    body
        What is sent.
    headers
        Of the answer; an ``ETag`` among them is what If-Range is compared with.
    strikes
        Faults on the wire.
    status
        Where it is not 200, ranges are not looked at.
    bytes_per_s
        The hub's own limit on speed.

    Raises
    ------
    ConnectionResetError
        If the connection breaks before the end, by the client or by a fault.
    """
    span = None
    if status == 200 and request.method == "GET" and _fresh(request, headers.get("ETag")):
        try:
            span = requested_span(request.headers.get("Range"), body.size)
        except UnsatisfiableRangeError:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{body.size}"})
    start, stop = span or (0, body.size)
    wire = Wire.under(strikes, start, stop)
    if bytes_per_s is not None:
        wire.bytes_per_s = min(bytes_per_s, wire.bytes_per_s or bytes_per_s)
    response = web.StreamResponse(status=206 if span else status, headers=headers)
    if span:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{body.size}"
    response.content_length = wire.declared
    await response.prepare(request)
    if request.method != "HEAD":
        await _write(request, response, body, start, wire)
    return response


def _fresh(request: web.Request, etag: str | None) -> bool:
    """Tell whether the range is of the file that is here now; a date never proves it."""
    condition = request.headers.get("If-Range")
    return condition is None or (condition == etag and not condition.startswith("W/"))


async def _write(
    request: web.Request, response: web.StreamResponse, body: Body, at: int, wire: Wire
) -> None:
    loop = asyncio.get_running_loop()
    began, begun_at = loop.time(), at
    rate = wire.bytes_per_s
    piece = PIECE if rate is None else max(1, min(PIECE, int(rate / 20)))
    file = await asyncio.to_thread(body.open)
    try:
        await asyncio.to_thread(file.seek, at)
        while at < wire.stop:
            data = await asyncio.to_thread(file.read, min(piece, wire.stop - at))
            if not data:
                break
            await response.write(wire.through(at, data))
            at += len(data)
            request[SENT] = at - begun_at
            if rate is not None:
                await asyncio.sleep(max(0.0, began + (at - begun_at) / rate - loop.time()))
    finally:
        file.close()
    transport = request.transport
    if transport is None or (wire.ending == "whole" and at - begun_at >= wire.declared):
        return
    if wire.ending == "reset":
        await reset(transport)
    else:
        transport.close()
    raise ConnectionResetError("a fault cut the connection")


async def reset(transport: asyncio.Transport) -> None:
    """Reset a connection once what was written has gone out, so that the byte is exact."""
    link: socket.socket = transport.get_extra_info("socket")
    deadline = asyncio.get_running_loop().time() + 1
    while _unsent(transport, link) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.005)
    if link.fileno() < 0:
        # The client was faster: it is gone.
        return
    # To linger for no time is how a socket is told to reset instead of to end.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _unsent(transport: asyncio.Transport, link: socket.socket) -> int:
    queued = transport.get_write_buffer_size()
    if link.fileno() < 0:
        return 0
    if sys.platform == "linux":
        count = fcntl.ioctl(link.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        queued += struct.unpack("i", count)[0]
    return queued
