"""The catalogue of an archive like the ASF's (NASA's CMR), as `asf_search` asks it.

`asf_search` writes its requests for `https://` and a host; a session of its own for each search
brings them to the hub's address, so that searches of several hubs and threads share nothing. It
also bears what the library does not: connections that hang, answers that are none, wrong counts.
"""

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import asf_search
import requests
import urllib3
from asf_search.search.search_generator import as_ASFProduct

from geobservatory.hubs.asking import CONNECT_S, SILENCE_S, answered, failed
from geobservatory.transfer.source import HubBusyError, HubUnreachableError

# Else errors, with all that was asked, are reported to the ASF, whichever hub made them.
asf_search.REPORT_ERRORS = False

PAGE = asf_search.constants.INTERNAL.CMR_PAGE_SIZE
_MOST_PAGES = 10_000
_MOST_BYTES = 256 << 20
_PIECE = 1 << 16
_ASKED_AGAIN = 3
_AFTER = "CMR-Search-After"

Entry = dict[str, Any]


def search_pages(
    hub: str, base: str, deadline_s: float, **terms: Any
) -> Iterator[list[asf_search.ASFProduct]]:
    """Ask a catalogue through `asf_search`, page by page to the end.

    Parameters
    ----------
    hub
        Name of the hub in the settings.
    base
        Address of the catalogue.
    deadline_s
        How long a page may take in all.
    terms
        As `asf_search.search` takes them.

    Raises
    ------
    HubUnreachableError, HubBusyError, HubRefusedError
        As their names say; what is no answer of a catalogue is a hub that cannot be reached.
    """
    with CatalogueSession(hub, base, deadline_s) as session:
        options = asf_search.ASFSearchOptions(host=session.place, session=session, **terms)
        pages = asf_search.search_generator(opts=options)
        for _ in range(_MOST_PAGES):
            try:
                page = next(pages, None)
            except (asf_search.exceptions.ASFError, asf_search.exceptions.CMRError) as error:
                raise HubUnreachableError(f"{hub}: {str(error)[:200]}") from error
            except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
                raise HubUnreachableError(
                    f"{hub}: what it answers is not of a CMR ({type(error).__name__})"
                ) from error
            if page is None:
                return
            yield list(page)
    raise HubUnreachableError(f"{hub}: pages without end")


class CatalogueSession(asf_search.ASFSession):
    """One search's way to a catalogue; without credentials, a search needs none.

    Attributes
    ----------
    place
        What `asf_search` is to take for the host.
    """

    def __init__(self, hub: str, base: str, deadline_s: float) -> None:
        super().__init__()
        self._hub, self._base, self._deadline_s = hub, base, deadline_s
        self.place = base.partition("://")[2]
        self._came, self._last = 0, ""

    def post(self, url: Any, data: Any = None, json: Any = None, **_: Any) -> requests.Response:
        """Ask for a page; asked again, three times in all, when that may help."""
        del json
        address = self._base + str(url).removeprefix(f"https://{self.place}")
        until = time.monotonic() + self._deadline_s
        for turn in range(_ASKED_AGAIN):
            try:
                return self._page(address, data, until)
            except (HubUnreachableError, HubBusyError) as error:
                pause = getattr(error, "retry_after_s", None)
                pause = 0.3 * 3**turn if pause is None else pause
                if turn == _ASKED_AGAIN - 1 or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
        raise AssertionError

    def _page(self, address: str, data: Any, until: float) -> requests.Response:
        try:
            with super().post(
                address,
                data=data,
                # Else a password in ~/.netrc would be sent.
                auth=lambda request: request,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_S, SILENCE_S),
            ) as answer:
                if answer.status_code >= 300 and answer.status_code != 400:
                    answered(self._hub, answer)
                content = self._whole(answer, until)
        except requests.RequestException as error:
            raise failed(self._hub, error) from error
        try:
            told = json.loads(content)
            if answer.status_code == 400:
                raise HubUnreachableError(
                    f"{self._hub}: it does not understand the query: {str(told['errors'])[:200]}"
                )
            items, hits = told["items"], told["hits"]
            if not isinstance(items, list) or not isinstance(hits, int):
                raise TypeError("no list of items")
        except (ValueError, KeyError, TypeError) as error:
            kind = answer.headers.get("Content-Type", "nothing known").split(";")[0]
            raise HubUnreachableError(
                f"{self._hub}: it answers {answer.status_code} with {kind}, and no page of a CMR"
            ) from error
        return self._told(answer, items, hits)

    def _told(self, answer: requests.Response, items: list[Any], hits: int) -> requests.Response:
        """Hand a page on: what cannot be an entry left out, and a count that ends no search early.

        `asf_search` stops, or cuts a page, where the count says so. It is no more than a hint: a
        page that is full is followed by another, an empty one is the end.
        """
        if _AFTER not in self.headers:
            self._came, self._last = 0, ""
        entries = [one for one in items if self._can_be_read(one)]
        if items and not entries:
            raise HubUnreachableError(f"{self._hub}: its page has no entry that is one")
        self._came += len(entries)
        after = answer.headers.get(_AFTER)
        if after is not None and after == self._last:
            raise HubUnreachableError(f"{self._hub}: it gives the same page over and over")
        self._last = after or ""
        page = requests.Response()
        page.status_code = 200
        if after is not None and items:
            page.headers[_AFTER] = after
        more = len(items) >= PAGE or hits > self._came + len(items) - len(entries)
        hits = max(hits, self._came + 1) if more else self._came
        page.raw = io.BytesIO(json.dumps({"items": entries, "hits": hits}).encode())
        return page

    def _can_be_read(self, item: Any) -> bool:
        """Tell whether `asf_search` reads an entry: one that it does not would end its search."""
        try:
            as_ASFProduct(item, self)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError):
            return False
        return isinstance(item["umm"], dict) and isinstance(item["meta"], dict)

    def _whole(self, answer: requests.Response, until: float) -> bytes:
        content = bytearray()
        try:
            while piece := answer.raw.read1(_PIECE, decode_content=True):
                content += piece
                if len(content) > _MOST_BYTES:
                    raise HubUnreachableError(f"{self._hub}: an answer without end")
                if time.monotonic() > until:
                    raise HubUnreachableError(
                        f"{self._hub}: a page is not there after {self._deadline_s:g} s"
                    )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise HubUnreachableError(
                f"{self._hub}: broken off in a page: {type(error).__name__}"
            ) from error
        return bytes(content)
