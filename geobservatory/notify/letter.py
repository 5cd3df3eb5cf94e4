"""A notice as an e-mail: text, HTML, and the picture inside it."""

import re
from email import policy
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from geobservatory.catalog.notices import Notice
from geobservatory.notify.message import Message
from geobservatory.notify.render import as_html, as_text

# With what encoding adds, still below the 10 MB that many servers take at most.
_LARGEST_PICTURE = 5_000_000


class _WholeLine:
    """A header that is one line however long it is: an address in parts is none (RFC 2369)."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, about: dict[str, Any]) -> None:
        """Take it as it is."""
        about["decoded"], about["parse_tree"] = value, value

    def fold(self, *, policy: policy.EmailPolicy) -> str:
        """Write it."""
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _WholeLine)  # type: ignore[arg-type]
# Lines end in CRLF and hold ASCII only: what every server takes (RFC 5321, section 2.3.8).
_SEVEN_BIT = policy.SMTP.clone(cte_type="7bit", header_factory=_HEADERS)


def write(sender: str, notice: Notice, pictures: Path, leave: str | None = None) -> EmailMessage:
    """Write a notice as an e-mail; again, it has the same Message-ID.

    Parameters
    ----------
    pictures
        Folder that the notice's picture is named under.
    leave
        Where to unsubscribe; None for who has not subscribed.
    """
    said = Message.from_content(notice.content)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    letter = EmailMessage(policy=_SEVEN_BIT)
    letter["From"], letter["To"] = sender, notice.recipient
    letter["Subject"] = said.subject
    letter["Date"] = format_datetime(notice.created_at)
    letter["Message-ID"] = f"<{notice.token}@{domain}>"
    # RFC 3834: no answer from those who are away.
    letter["Auto-Submitted"] = "auto-generated"
    if leave is not None:
        # RFC 2369 and RFC 8058: mail programs show a button, and post to the address.
        letter["List-Unsubscribe"] = f"<{leave}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter.set_content(as_text(said, leave))
    picture = _picture(pictures, said.picture)
    if picture is None:
        letter.add_alternative(as_html(said, None, leave), subtype="html")
        return letter
    name = f"picture.{notice.token}"
    letter.add_alternative(as_html(said, f"cid:{name}@{domain}", leave), subtype="html")
    html = letter.get_payload(1)
    assert isinstance(html, EmailMessage)  # noqa: S101  what was just added
    html.add_related(
        picture,
        maintype="image",
        subtype="png",
        cid=f"<{name}@{domain}>",
        filename="map.png",
        disposition="inline",
    )
    return letter


def on_the_wire(letter: EmailMessage) -> bytes:
    """Write an e-mail as DATA takes it, all but the dot that ends it (RFC 5321, section 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", letter.as_bytes())


def _picture(folder: Path, name: str | None) -> bytes | None:
    """Read a picture; None for one that is not there or too large to send."""
    if name is None:
        return None
    try:
        with (folder / name).open("rb") as file:
            content = file.read(_LARGEST_PICTURE + 1)
    except OSError:
        return None
    return content if len(content) <= _LARGEST_PICTURE else None
