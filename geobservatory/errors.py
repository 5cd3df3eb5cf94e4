"""The errors the library raises: one small hierarchy, split by what the caller can do about it.

A message says what was wrong, with which input, and what to do. Whoever retries work (the
orchestrator, a downloader) retries `TransientError` and nothing else.
"""


class GeobservatoryError(Exception):
    """Root of all errors of this library."""


class InputError(GeobservatoryError):
    """The input is wrong (malformed, damaged, out of range); trying again cannot help."""


class ConfigurationError(GeobservatoryError):
    """A setting is missing or wrong; the operator has to change it."""


class CatalogError(GeobservatoryError):
    """The catalogue refused a statement or is of a version this program does not know."""


class NotFoundError(GeobservatoryError):
    """What was asked for does not exist."""


class TransientError(GeobservatoryError):
    """Something outside failed in a way that may pass; trying again later can help."""
