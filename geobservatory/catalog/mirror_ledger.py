"""What streams want: learned from every upstream, merged, kept up to date."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from geobservatory.catalog.mirror_tables import (
    MirrorChangeRow,
    MirrorLookRow,
    MirrorPinRow,
    MirrorRow,
    MirrorWantedRow,
)
from geobservatory.catalog.scene_tables import OfferRow
from geobservatory.catalog.session import Sessions
from geobservatory.hubs.model import Offer

_LOOKING, _WRITING = 0x6E0B_0044, 0x6E0B_0046


@dataclass(frozen=True)
class Look:
    """How far a stream has followed an upstream.

    Attributes
    ----------
    definition
        Digest of what the stream wants.
    seen_until
        Up to this publication, by the hub's clock, all has been read; None where it tells none.
    full_at, full_before_at
        When the last two looks at all of the window began that came to their end.
    found
        Products in the last look.
    failure
        Why the last look did not come to its end; empty where it did.
    """

    stream: str
    hub: str
    definition: str
    seen_until: datetime | None
    looked_at: datetime
    full_at: datetime | None
    full_before_at: datetime | None
    found: int
    failure: str = ""


class LedgerQueries(Sessions):
    """The part of the catalogue that is about what streams want."""

    def looking(self, stream: str) -> AbstractContextManager[bool]:
        """Follow a stream's upstreams alone; False where somebody else does."""
        return self._lock(_LOOKING, stream, wait=False)

    def looks(self, stream: str) -> dict[str, Look]:
        """Tell how far a stream has followed its upstreams, by hub."""
        wanted = select(MirrorLookRow).where(MirrorLookRow.stream == stream)
        with self._transaction() as session:
            return {
                row.hub: Look(**{name: getattr(row, name) for name in Look.__dataclass_fields__})
                for row in session.scalars(wanted)
            }

    def keep_look(self, look: Look) -> None:
        """Write how far a stream has followed an upstream."""
        given = upsert(MirrorLookRow).values(vars(look))
        keys = [MirrorLookRow.stream, MirrorLookRow.hub]
        with self._transaction() as session:
            session.execute(given.on_conflict_do_update(index_elements=keys, set_=vars(look)))

    def unknown_offers(self, hub: str, stream: str, offers: Sequence[Offer]) -> list[Offer]:
        """Pick the offers that tell something that is not known yet."""
        names = [one.product.name for one in offers]
        known = (
            select(OfferRow.scene_name, OfferRow.published_at, OfferRow.size_bytes)
            .join(MirrorWantedRow, MirrorWantedRow.scene_name == OfferRow.scene_name)
            .where(MirrorWantedRow.stream == stream, MirrorWantedRow.state != "withdrawn")
            .where(OfferRow.hub == hub, OfferRow.scene_name.in_(names))
        )
        with self._transaction() as session:
            told = {name: (at, size) for name, at, size in session.execute(known)}
        return [one for one in offers if not _is_told(one, told.get(one.product.name))]

    def want(self, stream: str, offers: Sequence[Offer], now: datetime) -> list[str]:
        """Enter what a stream wants of an upstream's page; gives the names that are new.

        The scenes are recorded already (`record_offers`).
        """
        rows = {one.product.name: _wanted(stream, one, now) for one in offers}
        if not rows:
            return []
        with self._transaction() as session:
            one_at_a_time(session)
            there = set(session.scalars(_of(stream, rows, MirrorWantedRow.scene_name)))
            back = set(
                session.scalars(
                    _of(stream, rows, MirrorWantedRow.scene_name).where(
                        MirrorWantedRow.state == "withdrawn"
                    )
                )
            )
            given = upsert(MirrorWantedRow).values([rows[name] for name in sorted(rows)])
            new = given.excluded
            session.execute(
                given.on_conflict_do_update(
                    index_elements=[MirrorWantedRow.stream, MirrorWantedRow.scene_name],
                    set_={
                        "published_at": func.least(MirrorWantedRow.published_at, new.published_at),
                        "size_bytes": func.greatest(MirrorWantedRow.size_bytes, new.size_bytes),
                        "listed_at": new.listed_at,
                    },
                )
            )
            for name in sorted(back):
                session.add(_change(stream, name, now, "returned", "an upstream has it again"))
            if back:
                session.execute(
                    update(MirrorWantedRow)
                    .where(MirrorWantedRow.stream == stream, MirrorWantedRow.scene_name.in_(back))
                    .values(state="wanted", reason="")
                )
        return [name for name in rows if name not in there]

    def note_listed(self, stream: str, names: Collection[str], now: datetime) -> None:
        """Write that an upstream still has these."""
        told = update(MirrorWantedRow).where(
            MirrorWantedRow.stream == stream, MirrorWantedRow.scene_name.in_(names)
        )
        with self._transaction() as session:
            one_at_a_time(session)
            session.execute(told.values(listed_at=now))

    def evicted_at(self, stream: str, name: str) -> datetime | None:
        """Tell when a product last had to go; None where it did not, or has come again."""
        with self._transaction() as session:
            row = session.get(MirrorWantedRow, (stream, name))
            return None if row is None else row.evicted_at

    def supersede(self, stream: str, acquisitions: Collection[str], now: datetime) -> list[str]:
        """Of products of one acquisition want the one first published last; gives the others.

        Told apart by the first publication at any upstream, as `hubs.federation.merge` does; later
        news of an earlier publication may turn it round.
        """
        rivals = (
            select(MirrorWantedRow)
            .where(MirrorWantedRow.stream == stream, MirrorWantedRow.state != "withdrawn")
            .where(MirrorWantedRow.acquisition.in_(acquisitions))
            .order_by(MirrorWantedRow.published_at.desc(), MirrorWantedRow.scene_name.desc())
        )
        newest: dict[str, MirrorWantedRow] = {}
        superseded = []
        with self._transaction() as session:
            one_at_a_time(session)
            for row in session.scalars(rivals.with_for_update()).all():
                first = newest.setdefault(row.acquisition, row)
                if first is row:
                    if row.state == "superseded":
                        row.state, row.reason = "wanted", ""
                elif row.state == "wanted":
                    row.state, row.reason = "superseded", f"processed again: {first.scene_name}"
                    session.add(_change(stream, row.scene_name, now, "superseded", row.reason))
                    superseded.append(row.scene_name)
        return superseded

    def note_outdated(self, stream: str, reasons: Mapping[str, str], now: datetime) -> None:
        """Write that upstream has another product under the name of one that is held."""
        with self._transaction() as session:
            one_at_a_time(session)
            for name, why in reasons.items():
                told = update(MirrorRow).where(
                    MirrorRow.scene_name == name, MirrorRow.outdated == ""
                )
                if session.execute(
                    told.values(outdated=why).returning(MirrorRow.scene_name)
                ).first():
                    session.add(_change(stream, name, now, "updated", why))

    def unlisted(self, stream: str, before: datetime, start: datetime) -> dict[str, list[str]]:
        """List what is wanted of a window and was not listed since; with the hubs that had it."""
        wanted = (
            select(MirrorWantedRow.scene_name, func.array_agg(OfferRow.hub))
            .join(OfferRow, OfferRow.scene_name == MirrorWantedRow.scene_name)
            .where(MirrorWantedRow.stream == stream, MirrorWantedRow.state == "wanted")
            .where(MirrorWantedRow.listed_at < before, MirrorWantedRow.sensed_at >= start)
            .group_by(MirrorWantedRow.scene_name)
        )
        with self._transaction() as session:
            return {name: list(hubs) for name, hubs in session.execute(wanted)}

    def withdraw(self, stream: str, names: Collection[str], now: datetime, why: str) -> None:
        """Write that no upstream has these any more."""
        told = update(MirrorWantedRow).where(
            MirrorWantedRow.stream == stream, MirrorWantedRow.scene_name.in_(names)
        )
        with self._transaction() as session:
            one_at_a_time(session)
            session.execute(told.values(state="withdrawn", reason=why))
            session.add_all(_change(stream, name, now, "withdrawn", why) for name in sorted(names))

    def note_failure(self, name: str, why: str, now: datetime, again: Sequence[float]) -> None:
        """Write that a product could not be had, and when it is tried again.

        Parameters
        ----------
        again
            Seconds until then: after the first failure, the second, …; the last for all after it.
        """
        wanted = select(MirrorWantedRow).where(MirrorWantedRow.scene_name == name)
        with self._transaction() as session:
            for row in session.scalars(wanted.with_for_update()):
                pause = again[min(row.attempts, len(again) - 1)]
                row.attempts += 1
                row.retry_at = now + timedelta(seconds=pause)
                if row.state == "wanted":
                    row.reason = why[:500]

    def prune_mirror(self, before: datetime) -> int:
        """Forget what was sensed before a time and does not lie here any more; gives how many."""
        there = select(MirrorRow.scene_name)
        old = delete(MirrorWantedRow).where(
            MirrorWantedRow.sensed_at < before, MirrorWantedRow.scene_name.not_in(there)
        )
        with self._transaction() as session:
            one_at_a_time(session)
            session.execute(delete(MirrorChangeRow).where(MirrorChangeRow.at < before))
            session.execute(delete(MirrorPinRow).where(MirrorPinRow.until < before))
            return len(session.execute(old.returning(text("1"))).all())


def one_at_a_time(session: Session) -> None:
    """Let one at a time write rows of many products, to the end of its transaction.

    Two looks at once lock the same rows, each in an order of its own, and would wait for each
    other. Who writes the rows of one product need not ask.
    """
    session.execute(select(func.pg_advisory_xact_lock(_WRITING)))


def _wanted(stream: str, offer: Offer, now: datetime) -> dict[str, Any]:
    return {
        "stream": stream,
        "scene_name": offer.product.name,
        "sensed_at": offer.product.start,
        "acquisition": offer.product.acquisition,
        "size_bytes": offer.size,
        "published_at": min(offer.published or now, now),
        "learned_at": now,
        "listed_at": now,
    }


def _is_told(offer: Offer, known: tuple[datetime | None, int | None] | None) -> bool:
    if known is None:
        return False
    published, size = known
    return (offer.published in (None, published)) and (offer.size in (None, size))


def _of(stream: str, names: Collection[str], *columns: Any) -> Any:
    return select(*columns).where(
        MirrorWantedRow.stream == stream, MirrorWantedRow.scene_name.in_(names)
    )


def _change(stream: str, name: str, at: datetime, what: str, why: str) -> MirrorChangeRow:
    return MirrorChangeRow(at=at, stream=stream, scene_name=name, what=what, detail=why)
