"""Which file a product is, where hubs do not have the very same one.

Hubs pack products anew: under one name there may be files of other sizes and checksums. One of them
is handed out, and told of: what lies here, else what most hubs have. Files are the same by a
checksum in common.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Described(Protocol):
    """What somebody tells of a file."""

    @property
    def size(self) -> int | None: ...  # noqa: D102
    @property
    def checksums(self) -> Mapping[str, str]: ...  # noqa: D102


T = TypeVar("T", bound=Described)


@dataclass(frozen=True)
class Version:
    """A file that a product is.

    Attributes
    ----------
    size
        Bytes; None where nobody tells.
    checksums
        Algorithm to digits, of all who have it; empty where nobody tells any.
    """

    size: int | None
    checksums: Mapping[str, str]


def version_of(
    offers: Iterable[T], size: int | None = None, doubted: Collection[str] = ()
) -> tuple[Version, tuple[T, ...]]:
    """Choose the file that a product is.

    Parameters
    ----------
    offers
        In the order of preference.
    size
        Of the file that lies here; another is none.
    doubted
        Checksums that what came did not have, lately.

    Returns
    -------
    version, offers
        Those who have it.
    """
    groups: list[tuple[Version, tuple[T, ...]]] = []
    for offer in offers:
        if size is not None and offer.size not in (None, size):
            continue
        for number, (version, ones) in enumerate(groups):
            if _same(version, offer):
                joined = {**offer.checksums, **version.checksums}
                groups[number] = Version(version.size or offer.size, joined), (*ones, offer)
                break
        else:
            groups.append((Version(offer.size, dict(offer.checksums)), (offer,)))
    if not groups:
        return Version(size, {}), ()
    # The first of the largest.
    return max(
        groups,
        key=lambda one: (
            bool(one[0].checksums) and not set(one[0].checksums.values()) & set(doubted),
            len(one[1]),
        ),
    )


def _same(version: Version, offer: Described) -> bool:
    if None not in (version.size, offer.size) and version.size != offer.size:
        return False
    common = version.checksums.keys() & offer.checksums.keys()
    return bool(common) and all(version.checksums[one] == offer.checksums[one] for one in common)
