"""What is known of a hub for each type of product it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.probing.statistics import Share, Spread, answered, online_share, spread


@dataclass(frozen=True)
class TypeReport:
    """One type of product at a hub, over some days.

    Attributes
    ----------
    published
        How many.
    completeness
        Share of what all hubs have, when last compared; None where that is not known.
    latency, metadata, first_byte, speed
        Seconds, seconds, seconds, bytes a second.
    """

    published: int
    completeness: float | None
    latency: Spread
    metadata: Spread
    first_byte: Spread
    speed: Spread
    downloads: Share
    integrity: Share
    online: Share


def type_reports(rollups: Sequence[Rollup]) -> Mapping[str, TypeReport]:
    """Take the sums of a hub apart by type of product, in the order of their names.

    Parameters
    ----------
    rollups
        In the order of time; what is of no one type is left out.
    """
    by_type: dict[str, dict[Kind, list[Rollup]]] = {}
    for one in rollups:
        if one.product_type:
            by_type.setdefault(one.product_type, {}).setdefault(one.kind, []).append(one)
    return {name: _report(by_type[name]) for name in sorted(by_type)}


def _report(of: Mapping[Kind, Sequence[Rollup]]) -> TypeReport:
    latency, transfers = spread(of.get(Kind.LATENCY, ())), of.get(Kind.TRANSFER, ())
    compared = [one for one in of.get(Kind.COMPLETENESS, ()) if one.good]
    return TypeReport(
        published=latency.count,
        completeness=compared[-1].total / compared[-1].good if compared else None,
        latency=latency,
        metadata=spread(of.get(Kind.METADATA, ())),
        first_byte=spread(of.get(Kind.FIRST_BYTE, ())),
        speed=spread(transfers),
        downloads=answered(transfers),
        integrity=answered(of.get(Kind.INTEGRITY, ())),
        online=online_share(of.get(Kind.ONLINE, ())),
    )
