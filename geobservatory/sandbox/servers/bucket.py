"""A public object store (S3, unsigned): objects by key, in ranges, and their list."""

import asyncio
import hashlib
from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

from aiohttp import web

from geobservatory.sandbox.servers.hub import Hub, HubConfig
from geobservatory.sandbox.servers.sending import Body, bytes_body, file_body
from geobservatory.sandbox.servers.stock import md5_of
from geobservatory.sandbox.servers.view import View
from geobservatory.sandbox.servers.writing import iso_ms

_MAX_KEYS = 1000
Config = TypeVar("Config", bound=HubConfig)


@dataclass(frozen=True)
class Stored:
    """An object: a file, or bytes made up; and when it was put there."""

    content: Path | bytes
    since: datetime

    @property
    def body(self) -> Body:
        """Its content, to be sent."""
        content = self.content
        return bytes_body(content) if isinstance(content, bytes) else file_body(content)

    @property
    def tag(self) -> str:
        """Its ETag: the MD5 checksum, hex digits; a file is read for it once."""
        if isinstance(self.content, Path):
            return md5_of(self.content)
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


class BucketHub(Hub[Config]):
    """A bucket."""

    @abstractmethod
    def objects(self, view: View) -> dict[str, Stored]:
        """List what it holds, by key."""

    @property
    @abstractmethod
    def bucket(self) -> str:
        """Its name."""

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [web.get("/", self._list), web.get("/{key:.+}", self._get)]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        found = self.objects(self.view(request)).get(key)
        if found is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.", key)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": "binary/octet-stream",
            "ETag": f'"{await asyncio.to_thread(lambda: found.tag)}"',
            "Last-Modified": format_datetime(found.since, usegmt=True),
        }
        return await self.send(request, found.body, headers)

    async def _list(self, request: web.Request) -> web.Response:
        """Answer ListObjects (version 1), in order of the key."""
        view, query = self.view(request), request.query
        prefix, marker = query.get("prefix", ""), query.get("marker", "")
        text = query.get("max-keys", str(_MAX_KEYS))
        if not text.isdecimal() or len(text) > 9:
            return _error(400, "InvalidArgument", "Provided max-keys not an integer", text[:20])
        most = min(int(text), _MAX_KEYS)
        listed = self.objects(view)
        keys = sorted(key for key in listed if key.startswith(prefix) and key > marker)
        contents = await asyncio.to_thread(
            lambda: "".join(_content(key, listed[key]) for key in keys[:most])
        )
        return _xml(
            200,
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self.bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<Marker>{escape(marker)}</Marker><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(len(keys) > most).lower()}</IsTruncated>{contents}"
            "</ListBucketResult>",
        )


def _content(key: str, stored: Stored) -> str:
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{iso_ms(stored.since)}</LastModified>"
        f"<ETag>&quot;{stored.tag}&quot;</ETag><Size>{stored.body.size}</Size>"
        "<StorageClass>INTELLIGENT_TIERING</StorageClass></Contents>"
    )


def _error(status: int, code: str, message: str, key: str) -> web.Response:
    return _xml(
        status,
        f"<Error><Code>{code}</Code><Message>{message}</Message><Key>{escape(key)}</Key></Error>",
    )


def _xml(status: int, text: str) -> web.Response:
    declared = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return web.Response(status=status, text=declared, content_type="application/xml")
