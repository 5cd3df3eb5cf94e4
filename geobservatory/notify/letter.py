"""A notice as an e-mail: text, HTML, and the picture inside it."""

import re
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path

from geobservatory.catalog.notices import Notice
from geobservatory.notify.message import Message
from geobservatory.notify.render import as_html, as_text

# With what encoding adds, still below the 10 MB that many servers take at most.
_LARGEST_PICTURE = 5_000_000
# Lines end in CRLF and hold ASCII only: what every server takes (RFC 5321, section 2.3.8).
_SEVEN_BIT = policy.SMTP.clone(cte_type="7bit")


def write(sender: str, notice: Notice, pictures: Path) -> EmailMessage:
    """Write a notice as an e-mail; again, it is the same with the same Message-ID.

    Parameters
    ----------
    pictures
        Folder that the notice's picture is named under.
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
    letter.set_content(as_text(said))
    picture = _picture(pictures, said.picture)
    if picture is None:
        letter.add_alternative(as_html(said, None), subtype="html")
        return letter
    name = f"picture.{notice.token}"
    letter.add_alternative(as_html(said, f"cid:{name}@{domain}"), subtype="html")
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
