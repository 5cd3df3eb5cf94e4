"""What became of the pairs of an activation: interferograms, their versions and files."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shapely.geometry import shape
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from geobservatory.catalog.pair_tables import InterferogramRow, PairRow, ProductFileRow
from geobservatory.catalog.pairs import row_id
from geobservatory.catalog.session import Sessions
from geobservatory.errors import CatalogError, NotFoundError
from geobservatory.globe import bounding_box

# Number spaces of PostgreSQL's advisory locks: the interferogram of a pair, and work at once.
_MAKING, _PROCESSING = 0x6E0B_0005, 0x6E0B_0006
_POLL_S = 1.0


@dataclass(frozen=True)
class File:
    """A file of an interferogram: its place under the products' folder, size and SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Interferogram:
    """A version of the interferogram of a pair.

    Attributes
    ----------
    digest
        Of all that it is made from: another input or setting, another digest.
    state
        ``running``, ``complete``, ``failed`` or ``superseded``; `reason` says why it failed.
    folder
        Under the products' folder.
    files
        By role.
    """

    id: str
    pair_id: str
    version: int
    engine: str
    digest: str
    state: str
    reason: str
    folder: str
    verdict: str | None
    quality: Mapping[str, Any]
    provenance: Mapping[str, Any]
    created_at: datetime
    files: Mapping[str, File] = field(default_factory=dict)


class InterferogramQueries(Sessions):
    """The part of the catalogue that is about interferograms."""

    @contextmanager
    def processing(self, places: int, wait: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Hold one of so many places for work that takes a whole machine, once one is free."""
        while True:
            for number in range(places):
                with self._lock(_PROCESSING, str(number), wait=False) as ours:
                    if ours:
                        yield
                        return
            wait(_POLL_S)

    def making(self, activation_id: str, pair_id: str) -> AbstractContextManager[bool]:
        """Make the interferogram of a pair alone; whoever else is at it is waited for."""
        return self._lock(_MAKING, row_id(activation_id, pair_id), wait=True)

    def begin_interferogram(
        self,
        activation_id: str,
        pair_id: str,
        engine: str,
        digest: str,
        flow_run_id: str | None = None,
    ) -> Interferogram:
        """Open the version of an interferogram that is to be made of these inputs.

        Returns
        -------
        Interferogram
            ``complete`` where it was made of the same before; else ``running``: what another run
            left unfinished, or a new version where inputs or settings have changed since.
        """
        pair = row_id(activation_id, pair_id)
        newest = (
            select(InterferogramRow)
            .where(InterferogramRow.pair_id == pair)
            .order_by(InterferogramRow.version.desc())
            .limit(1)
            .with_for_update()
        )
        with self._transaction() as session:
            row = session.scalars(newest).first()
            if row is not None and row.state == "complete" and row.digest == digest:
                return to_interferogram(session, row)
            if row is None or row.state in ("complete", "superseded"):
                version = 1 if row is None else row.version + 1
                row = InterferogramRow(
                    id=f"{pair}-v{version}",
                    pair_id=pair,
                    version=version,
                    folder=f"{activation_id}/{pair_id}" + ("" if version == 1 else f"-v{version}"),
                )
                session.add(row)
            row.state, row.reason, row.digest, row.engine = "running", "", digest, engine
            row.verdict, row.quality, row.parameters, row.provenance = None, {}, {}, {}
            row.footprint = row.west = row.south = row.east = row.north = None
            row.flow_run_id = flow_run_id
            session.flush()
            return to_interferogram(session, row)

    def finish_interferogram(
        self,
        identifier: str,
        verdict: str,
        quality: Mapping[str, Any],
        parameters: Mapping[str, Any],
        provenance: Mapping[str, Any],
        files: Mapping[str, File],
        footprint: Mapping[str, Any] | None = None,
    ) -> None:
        """Write that an interferogram is complete; it supersedes what there was of its pair.

        Parameters
        ----------
        footprint
            Of the data, GeoJSON.

        Raises
        ------
        CatalogError
            If nobody began it.
        """
        with self._transaction() as session:
            row = session.get(InterferogramRow, identifier, with_for_update=True)
            if row is None or row.state not in ("running", "complete"):
                raise CatalogError(f"interferogram {identifier} was not begun")
            older = (
                update(InterferogramRow)
                .where(InterferogramRow.pair_id == row.pair_id)
                .where(InterferogramRow.id != row.id, InterferogramRow.state == "complete")
            )
            session.execute(older.values(state="superseded"))
            row.state, row.verdict = "complete", verdict
            row.quality, row.parameters = dict(quality), dict(parameters)
            row.provenance = dict(provenance)
            if footprint is not None:
                row.footprint = dict(footprint)
                row.west, row.south, row.east, row.north = bounding_box(shape(footprint))
            of_it = ProductFileRow.interferogram_id == identifier
            session.execute(delete(ProductFileRow).where(of_it))
            session.add_all(
                ProductFileRow(
                    interferogram_id=identifier,
                    role=role,
                    path=one.path,
                    size_bytes=one.size,
                    sha256=one.sha256,
                )
                for role, one in files.items()
            )

    def reopen_interferogram(self, identifier: str) -> Interferogram:
        """Make a complete interferogram unmade: its files are not what they were."""
        with self._transaction() as session:
            row = session.get_one(InterferogramRow, identifier, with_for_update=True)
            row.state, row.verdict = "running", None
            session.flush()
            return to_interferogram(session, row)

    def fail_interferogram(self, identifier: str, reason: str) -> None:
        """Write that an interferogram could not be made, and why."""
        running = update(InterferogramRow).where(
            InterferogramRow.id == identifier, InterferogramRow.state == "running"
        )
        with self._transaction() as session:
            session.execute(running.values(state="failed", reason=reason))

    def interferograms(self, activation_id: str) -> list[Interferogram]:
        """List every version of every interferogram of an activation, by pair and version."""
        wanted = (
            select(InterferogramRow)
            .join(PairRow, PairRow.id == InterferogramRow.pair_id)
            .where(PairRow.activation_id == activation_id)
            .order_by(PairRow.relative_orbit, PairRow.kind, PairRow.id, InterferogramRow.version)
        )
        with self._transaction() as session:
            return [to_interferogram(session, row) for row in session.scalars(wanted)]

    def find_interferograms(self, identifier: str) -> list[Interferogram]:
        """Find finished interferograms by their own identifier, or their pair's; its start will do.

        Parameters
        ----------
        identifier
            ``activation:pair-v2``, or ``pair`` alone, or the start of either.

        Returns
        -------
        list
            The newest finished version of each pair that the identifier names; older ones only if
            it names their version. Empty if there is none.
        """
        row = InterferogramRow
        named = row.id.startswith(identifier, autoescape=True) | row.id.contains(
            f":{identifier}", autoescape=True
        )
        finished = row.state.in_(("complete", "superseded"))
        query = select(row).where(named, finished).order_by(row.pair_id, row.version.desc())
        with self._transaction() as session:
            found = [to_interferogram(session, one) for one in session.scalars(query)]
        exact = [one for one in found if one.id.endswith(identifier)]
        return exact or list({one.id.rpartition("-v")[0]: one for one in reversed(found)}.values())

    def newest_interferogram(self, activation_id: str, pair_id: str) -> Interferogram:
        """Find the newest complete version of the interferogram of a pair.

        Raises
        ------
        NotFoundError
            If none is complete.
        """
        pair = row_id(activation_id, pair_id)
        complete = select(InterferogramRow).where(
            InterferogramRow.pair_id == pair, InterferogramRow.state == "complete"
        )
        with self._transaction() as session:
            row = session.scalars(complete).first()
            if row is None:
                raise NotFoundError(f"{activation_id}: no interferogram of {pair_id} is complete")
            return to_interferogram(session, row)

    def interferogram(self, identifier: str) -> Interferogram:
        """Find an interferogram.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._transaction() as session:
            row = session.get(InterferogramRow, identifier)
            if row is None:
                raise NotFoundError(f"there is no interferogram {identifier}")
            return to_interferogram(session, row)


def to_interferogram(session: Session, row: InterferogramRow) -> Interferogram:
    """Read an interferogram from its row."""
    of_it = select(ProductFileRow).where(ProductFileRow.interferogram_id == row.id)
    return Interferogram(
        id=row.id,
        pair_id=row.pair_id.partition(":")[2],
        version=row.version,
        engine=row.engine,
        digest=row.digest,
        state=row.state,
        reason=row.reason,
        folder=row.folder,
        verdict=row.verdict,
        quality=row.quality,
        provenance=row.provenance,
        created_at=row.created_at or session.execute(select(func.now())).scalar_one(),
        files={
            one.role: File(one.path, one.size_bytes, one.sha256)
            for one in session.scalars(of_it.order_by(ProductFileRow.role))
        },
    )
