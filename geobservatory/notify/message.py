"""What people are told, in few words and with numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from geobservatory.catalog.incidents import Turn
from geobservatory.events.model import Activation, GeohazardEvent
from geobservatory.notify.sending import printable

# Products of a pass come some hours after it: until then the pass is news.
_AFTER_A_PASS = timedelta(hours=12)


@dataclass(frozen=True)
class Message:
    """A notice as it is written; each string is one line.

    Attributes
    ----------
    said
        Paragraphs.
    points
        Listed below them.
    event
        Facts of the event, each with its name.
    details
        The same for programs: numbers in SI units, times in ISO 8601.
    picture
        Of a map, under the products' folder.
    link, link_words
        To the page, and what is there.
    until
        From then on it is not worth sending; None for as long as notices are tried.
    """

    subject: str
    said: tuple[str, ...]
    points: tuple[str, ...] = ()
    event: tuple[tuple[str, str], ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    picture: str | None = None
    link: str | None = None
    link_words: str = "The page of the activation"
    until: datetime | None = None

    def content(self) -> dict[str, Any]:
        """Give it as the catalogue keeps it."""
        kept = asdict(self)
        del kept["until"]
        return kept

    @classmethod
    def from_content(cls, kept: Mapping[str, Any]) -> Self:
        """Read what the catalogue keeps."""
        lists = {
            "said": tuple(kept["said"]),
            "points": tuple(kept["points"]),
            "event": tuple((name, value) for name, value in kept["event"]),
        }
        return cls(**{**kept, **lists})


def of_start(activation: Activation) -> Message:
    """Tell that an activation has begun."""
    said = (
        "Images from before and after are looked for. "
        "You are told when the next passes are, and when there is a map.",
    )
    return _message(activation, "Activated", said)


def of_withdrawal(activation: Activation, reason: str) -> Message:
    """Tell that an activation was taken back."""
    said = ("The activation is withdrawn; no map will be made.", printable(reason, 500))
    return _message(activation, "Withdrawn", said, details={"reason": reason})


def of_passes(activation: Activation, passes: Sequence[tuple[datetime, str]]) -> Message:
    """Tell when satellites come over; each pass with what there is to say of it, the next first."""
    first = passes[0][0]
    return _message(
        activation,
        f"Next pass {first:%Y-%m-%d %H:%M} UTC",
        (
            "The next passes of Sentinel-1 over the area (UTC). "
            "Products are published some hours after a pass.",
        ),
        tuple(f"{time:%Y-%m-%d %H:%M}  {printable(about)}" for time, about in passes),
        {"passes": [{"time": time.isoformat(), "about": about} for time, about in passes]},
        until=first + _AFTER_A_PASS,
    )


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
        Of the motion along the line of sight, metres, positive toward the satellite; None where
        none was detected.
    """
    if peak_m is None:
        found = "No motion was detected above the noise."
    else:
        way = "toward" if peak_m > 0 else "away from"
        found = (
            f"The ground moved by up to {abs(peak_m) * 100:.0f} cm {way} the satellite "
            f"(line of sight, {peak_m:+.2f} m)."
        )
    return _message(
        activation,
        f"Map ({verdict})",
        (f"Map of {printable(about)}.", found, f"Verdict: {printable(verdict)}."),
        tuple(printable(reason) for reason in reasons),
        {"about": about, "verdict": verdict, "reasons": list(reasons), "peak_los_m": peak_m},
        picture,
    )


def of_failure(activation: Activation, about: str, reason: str) -> Message:
    """Tell that a map could not be made."""
    said = (
        f"The map of {printable(about)} could not be made:",
        printable(reason, 500),
        f"`geobs retry {activation.id}` tries again.",
    )
    return _message(activation, "Map failed", said, details={"about": about, "reason": reason})


def of_wish(place: str, magnitude: float | None) -> Message:
    """Ask whoever has an address whether it is to be told; the link is added as it is sent.

    Parameters
    ----------
    place
        What the area is, in words.
    """
    size = "of any size" if magnitude is None else f"of magnitude {magnitude:g} and more"
    said = (
        f"Somebody, you we hope, has asked that this address be told of events {size} {place}.",
        "Nothing is sent before you confirm it on the page below; the link is good for two days.",
        "If it was not you, do nothing: the wish is forgotten.",
    )
    return Message("Please confirm your subscription", said, link_words="Confirm")


def of_incident(turn: Turn) -> Message:
    """Tell that a hub is in trouble, or is well again."""
    one = turn.incident
    facts = [
        ("Hub", one.hub),
        ("Trouble", one.aspect),
        ("Since", f"{one.began_at:%Y-%m-%d %H:%M} UTC"),
    ]
    details: dict[str, Any] = {"hub": one.hub, "aspect": one.aspect, "cause": one.cause}
    details |= {"began_at": one.began_at.isoformat(), "evidence": dict(one.evidence)}
    if one.ended_at is None:
        said = ("Products are fetched from other hubs meanwhile, where they have them.",)
        subject = f"Hub {one.hub}: {one.cause}"
    else:
        minutes = one.lasted(one.ended_at).total_seconds() / 60
        facts.append(("Until", f"{one.ended_at:%Y-%m-%d %H:%M} UTC"))
        details["ended_at"] = one.ended_at.isoformat()
        said = (f"It lasted {minutes:.0f} minutes.",)
        subject = f"Hub {one.hub} is well again ({one.aspect})"
    cause = printable(one.cause, 500)
    return Message(printable(subject), (cause, *said), event=tuple(facts), details=details)


def _message(
    activation: Activation,
    what: str,
    said: tuple[str, ...],
    points: tuple[str, ...] = (),
    details: Mapping[str, Any] | None = None,
    picture: str | None = None,
    until: datetime | None = None,
) -> Message:
    event = activation.request.event
    about = {"event": event.model_dump(mode="json")}
    return Message(
        printable(f"{what}: {_name(event)}"),
        said,
        points,
        (*_facts(event), ("Activation", activation.id)),
        {**about, **(details or {})},
        picture,
        until=until,
    )


def _name(event: GeohazardEvent) -> str:
    size = "" if event.magnitude is None else f"M {event.magnitude:.1f} "
    return f"{size}{event.name or event.event_type}"


def _facts(event: GeohazardEvent) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Event", printable(_name(event))),
        ("Time", f"{event.time:%Y-%m-%d %H:%M:%S} UTC"),
        ("Place", f"{event.latitude:.3f}, {event.longitude:.3f} (latitude, longitude)"),
    ]
    if event.depth_km is not None:
        facts.append(("Depth", f"{event.depth_km:.0f} km"))
    return (*facts, ("Reported by", printable(event.source)))
