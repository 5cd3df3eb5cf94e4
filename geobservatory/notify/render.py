"""A message as text, and as HTML that any mail program shows: one column, styles in place."""

from html import escape

from geobservatory.notify.message import Message

_FOOT = "Sent by geObservatory without anybody at the keyboard. Its operators change who is told."
_SUBSCRIBED = "You are told because this address has subscribed."
_BODY = "margin:0;padding:16px;background:#ffffff;color:#1a1a1a;font:16px/1.5 sans-serif"
_CELL = "padding:2px 16px 2px 0;vertical-align:top;text-align:left"
_SMALL = "font-size:13px;color:#595959"


def as_text(message: Message, leave: str | None = None) -> str:
    """Write a message as plain text.

    Parameters
    ----------
    leave
        Where to unsubscribe; None for who has not subscribed.
    """
    blocks = list(message.said)
    if message.points:
        blocks.append("\n".join(f"  - {point}" for point in message.points))
    if message.link is not None:
        blocks.append(f"{message.link_words}:\n{message.link}")
    width = max((len(name) for name, _ in message.event), default=0)
    if message.event:
        blocks.append("\n".join(f"{name:{width}}  {value}" for name, value in message.event))
    # What mail programs take for the beginning of a signature.
    foot = _FOOT if leave is None else f"{_SUBSCRIBED}\nUnsubscribe: {leave}"
    blocks.append(f"-- \n{foot}")
    return "\n\n".join(blocks) + "\n"


def as_html(message: Message, picture: str | None, leave: str | None = None) -> str:
    """Write a message as HTML.

    Parameters
    ----------
    picture
        Address of the picture, as ``cid:…`` for one that comes along; None without one.
    leave
        Where to unsubscribe; None for who has not subscribed.
    """
    parts = [f'<h1 style="font-size:20px;margin:0 0 12px">{escape(message.subject)}</h1>']
    parts += [f'<p style="margin:0 0 8px">{escape(one)}</p>' for one in message.said]
    if message.points:
        points = "".join(f"<li>{escape(one)}</li>" for one in message.points)
        parts.append(f'<ul style="margin:0 0 8px;padding-left:24px">{points}</ul>')
    if picture is not None:
        parts.append(
            f'<p style="margin:12px 0"><img src="{escape(picture)}" alt="Map of the motion" '
            'style="display:block;width:100%;max-width:640px;height:auto"></p>'
        )
    if message.link is not None:
        link = escape(message.link)
        words = escape(message.link_words)
        parts.append(f'<p style="margin:12px 0"><a href="{link}">{words}</a></p>')
    rows = "".join(
        f'<tr><th style="{_CELL};font-weight:normal;color:#595959">{escape(name)}</th>'
        f'<td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in message.event
    )
    parts.append(f'<table style="border-collapse:collapse;margin:12px 0">{rows}</table>')
    foot = escape(_FOOT)
    if leave is not None:
        foot = f'{escape(_SUBSCRIBED)} <a href="{escape(leave)}">Unsubscribe</a>'
    parts.append(f'<p style="{_SMALL}">{foot}</p>')
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(message.subject)}</title></head>\n"
        f'<body style="{_BODY}"><div style="max-width:640px">\n'
        + "\n".join(parts)
        + "\n</div></body></html>\n"
    )
