"""What all ways of sending share."""

from geobservatory.errors import GeobservatoryError

WEBHOOK = "webhook"


class UncertainError(GeobservatoryError):
    """Nobody can tell whether a message arrived."""


class BusyError(GeobservatoryError):
    """The receiver asks to be left alone for a while."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s
