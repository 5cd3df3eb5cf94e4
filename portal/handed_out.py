"""Files of results that are handed out, and counted: by the day and the activation, not to whom."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import anyio
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from geobservatory.errors import GeobservatoryError
from portal.shared import Shared

_LOG = logging.getLogger(__name__)


class ResultFile(FileResponse):
    """A file of a result that tells how much of it went out.

    What is only asked about is not counted.

    Parameters
    ----------
    activation
        Whose result it is.
    each_range
        Whether bytes of a range count that does not hold the end. Programs that look into a map
        in place ask for hundreds of them, and take nothing along.
    """

    def __init__(
        self,
        shared: Shared,
        activation: str,
        path: Path,
        *,
        each_range: bool,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        filename: str | None = None,
    ) -> None:
        super().__init__(path, headers=headers, media_type=media_type, filename=filename)
        self._shared, self._activation = shared, activation
        self._each_range = each_range

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        sent, files = 0, 1

        async def counting(message: Message) -> None:
            nonlocal sent, files
            if message["type"] == "http.response.start" and message["status"] == 206:
                # Of a file that is taken in parts, the one that holds its end counts.
                files = int(_holds_the_end(message))
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await super().__call__(scope, receive, counting)
        finally:
            if sent and scope["method"] == "GET" and (files or self._each_range):
                with anyio.CancelScope(shield=True):
                    await self._count(files, sent)

    async def _count(self, files: int, sent: int) -> None:
        activation, now = self._activation, datetime.now(UTC)
        try:
            await self._shared.ask(
                lambda catalog: catalog.count_handed_out(activation, files, sent, now)
            )
        except (GeobservatoryError, TimeoutError):
            _LOG.warning("%s of %s went out and was not counted", self.path, activation)


def _holds_the_end(message: Message) -> bool:
    headers = {name.lower(): value.decode() for name, value in message["headers"]}
    told = re.fullmatch(r"bytes \d+-(\d+)/(\d+)", headers.get(b"content-range", ""))
    return told is not None and int(told[1]) == int(told[2]) - 1
