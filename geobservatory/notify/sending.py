"""What all ways of sending share."""

from geobservatory.errors import GeobservatoryError, TransientError


class UncertainError(GeobservatoryError):
    """Nobody can tell whether a message arrived."""


class DownError(TransientError):
    """Nothing goes this way for now; the other messages need not try.

    Attributes
    ----------
    after_s
        For how long the receiver asks to be left alone, seconds.
    """

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


def printable(text: str, longest: int = 200) -> str:
    """Make one line of what a stranger said: no line breaks, no control characters."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(line.split())[:longest]
