"""What people are told, in few words and with numbers."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from geobservatory.events.model import Activation, GeohazardEvent


@dataclass(frozen=True)
class Message:
    """A notice as it is written.

    Attributes
    ----------
    picture
        Of a map, under the products' folder.
    """

    subject: str
    text: str
    picture: str | None = None

    def content(self) -> dict[str, Any]:
        """Give it as the catalogue keeps it."""
        return asdict(self)


def of_start(activation: Activation) -> Message:
    """Tell that an activation has begun."""
    event = activation.request.event
    lines = [
        *_about(event),
        "",
        "Images from before and after are looked for; you are told when the next passes are,",
        "and when there is a map.",
    ]
    return _message(f"Activated: {_name(event)}", lines, activation)


def of_passes(activation: Activation, passes: list[tuple[datetime, str]]) -> Message:
    """Tell when satellites come over; each pass with what there is to say of it."""
    event = activation.request.event
    lines = ["The next passes of Sentinel-1 over the area (UTC):", ""]
    lines += [f"  {time:%Y-%m-%d %H:%M}  {about}" for time, about in passes]
    lines += ["", "Products are published some hours after a pass.", "", *_about(event)]
    first = f"{passes[0][0]:%Y-%m-%d %H:%M} UTC"
    return _message(f"Next pass {first}: {_name(event)}", lines, activation)


def of_map(
    activation: Activation,
    about: str,
    verdict: str,
    reasons: tuple[str, ...],
    peak_m: float | None,
    picture: str | None,
) -> Message:
    """Tell that a map is there.

    Parameters
    ----------
    about
        Track and dates.
    peak_m
        Of the motion along the line of sight, positive toward the satellite; None where none was
        detected.
    """
    event = activation.request.event
    if peak_m is None:
        found = "No motion was detected above the noise."
    else:
        way = "toward" if peak_m > 0 else "away from"
        found = f"The ground moved by up to {abs(peak_m) * 100:.0f} cm {way} the satellite."
    lines = [f"Map of {about}.", "", found, f"Verdict: {verdict}."]
    lines += [f"  - {reason}" for reason in reasons]
    lines += ["", *_about(event)]
    return _message(f"Map ({verdict}): {_name(event)}", lines, activation, picture)


def of_failure(activation: Activation, about: str, reason: str) -> Message:
    """Tell that a map could not be made."""
    event = activation.request.event
    lines = [f"The map of {about} could not be made:", "", f"  {reason}", ""]
    lines += [f"`geobs retry {activation.id}` tries again.", "", *_about(event)]
    return _message(f"Map failed: {_name(event)}", lines, activation)


def _message(
    subject: str, lines: list[str], activation: Activation, picture: str | None = None
) -> Message:
    text = "\n".join([*lines, "", f"Activation {activation.id}", ""])
    # A line break in a subject would begin a header of the sender's choice.
    return Message(" ".join(subject.split())[:200], text, picture)


def _name(event: GeohazardEvent) -> str:
    size = "" if event.magnitude is None else f"M {event.magnitude:.1f} "
    return f"{size}{event.name or event.event_type}"


def _about(event: GeohazardEvent) -> list[str]:
    lines = [f"{_name(event)}, {event.time:%Y-%m-%d %H:%M:%S} UTC"]
    lines.append(f"Place: {event.latitude:.3f}, {event.longitude:.3f} (latitude, longitude)")
    if event.depth_km is not None:
        lines.append(f"Depth: {event.depth_km:.0f} km")
    lines.append(f"Reported by: {event.source}")
    return [" ".join(line.split()) for line in lines]
