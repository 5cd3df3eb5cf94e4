"""The engines there are, by name."""

from collections.abc import Callable

from geobservatory.engines.engine import Engine
from geobservatory.errors import ConfigurationError
from geobservatory.settings.engine import EngineName
from geobservatory.settings.model import Settings


def make_engine(name: str, settings: Settings) -> Engine:
    """Give the engine of a name, with the settings it runs by.

    Raises
    ------
    ConfigurationError
        If there is no such engine.
    """
    known = {str(one): make for one, make in _MAKERS.items()}
    if name not in known:
        raise ConfigurationError(f"there is no engine {name}; there is {', '.join(known)}")
    return known[name](settings)


def names() -> tuple[str, ...]:
    """Name all engines, the native one first."""
    return tuple(str(one) for one in _MAKERS)


def require(engine: Engine) -> None:
    """Refuse to begin with an engine that cannot work here.

    Raises
    ------
    ConfigurationError
        If something is missing; says what, and the way to get it.
    """
    missing = engine.availability().missing
    if missing:
        told = "; ".join(f"{one.what} is missing: {one.remedy}" for one in missing)
        raise ConfigurationError(f"the engine {engine.name} cannot work on this machine: {told}")


def takes_parts(name: str) -> bool:
    """Tell whether an engine can do with products that were fetched in part.

    Other programs read what they are not to use as well: SNAP opens all swaths, and in a part the
    bursts that were not fetched are zeros.
    """
    return name == EngineName.NATIVE


# Each imports what it needs only when it is asked for.
def _native(settings: Settings) -> Engine:
    from geobservatory.engines.native import Native

    return Native(settings.engine.unwrapper)


def _snap(settings: Settings) -> Engine:
    from geobservatory.engines.snap.engine import SnapEngine

    return SnapEngine(settings.engine.snap)


def _gamma(settings: Settings) -> Engine:
    from geobservatory.engines.gamma.engine import GammaEngine

    return GammaEngine(settings.engine.gamma)


def _command(settings: Settings) -> Engine:
    from geobservatory.engines.command import CommandEngine

    return CommandEngine(settings.engine.command)


_MAKERS: dict[EngineName, Callable[[Settings], Engine]] = {
    EngineName.NATIVE: _native,
    EngineName.SNAP: _snap,
    EngineName.GAMMA: _gamma,
    EngineName.COMMAND: _command,
}
