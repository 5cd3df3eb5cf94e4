"""Notices on their way.

A notice is queued once for a recipient, whoever queues it how often. It goes out in three steps, so
that a process that is killed leaves no doubt: *taken* (nothing has been handed over; anybody may
take it again once the lease has run out), *handed* (set just before the server gets the last word
of the message), *sent*. Who dies between the last two leaves a notice of which nobody knows whether
it arrived: it becomes *uncertain* and is not sent again unless a person asks, because nobody shall
be told twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from geobservatory.catalog.notice_tables import NoticeRow
from geobservatory.catalog.subscriptions import SubscriptionQueries

# The recipient of what goes to the configured address, which is a secret and stands in no table.
WEBHOOK = "webhook"
# Longer than any attempt may take; counted anew from the hand-over.
LEASE = timedelta(minutes=20)
# For so long it is tried.
PATIENCE = timedelta(days=2)


@dataclass(frozen=True)
class Notice:
    """Something that somebody is told.

    Attributes
    ----------
    activation_id
        None where it is of a hub.
    kind, key
        What it is about; with the activation and the recipient they make it one.
    recipient
        An e-mail address, or ``webhook``.
    content
        What is said: a `geobservatory.notify.message.Message`.
    state
        ``waiting``, ``taken``, ``handed``, ``sent``, ``failed`` or ``uncertain``.
    token
        What receivers know it by, however often it is sent.
    expires_at
        From then on it is not worth sending.
    """

    id: int
    activation_id: str | None
    kind: str
    key: str
    recipient: str
    content: Mapping[str, Any]
    state: str
    attempts: int
    error: str
    token: UUID
    created_at: datetime
    due_at: datetime
    expires_at: datetime
    sent_at: datetime | None


class NoticeQueries(SubscriptionQueries):
    """The part of the catalogue that is about telling people."""

    def queue_notice(
        self,
        activation_id: str | None,
        kind: str,
        key: str,
        recipients: Sequence[str],
        content: Mapping[str, Any],
        now: datetime,
        expires_at: datetime,
    ) -> int:
        """Queue a notice for each recipient that was not queued one of this kind and key before.

        Nothing is queued that has expired. An address in other letter case is the same recipient.

        Returns
        -------
        int
            For how many it is new.
        """
        rows = [
            {
                "activation_id": activation_id,
                "kind": kind,
                "key": key,
                "recipient": one,
                "content": dict(content),
                "state": "waiting",
                "created_at": now,
                "due_at": now,
                "expires_at": expires_at,
            }
            # No mail server in use tells letter case apart.
            for one in dict.fromkeys(one.lower() for one in recipients)
        ]
        if not rows or expires_at <= now:
            return 0
        statement = upsert(NoticeRow).values(rows).on_conflict_do_nothing()
        with self._transaction() as session:
            return len(session.execute(statement.returning(NoticeRow.id)).all())

    def take_notice(self, now: datetime, *, webhook: bool) -> Notice | None:
        """Take the notice that has waited longest for oneself; None if none is due.

        Parameters
        ----------
        webhook
            Of those for the webhook; else of those for e-mail.
        """
        recipient = NoticeRow.recipient
        due = (
            select(NoticeRow)
            .where(NoticeRow.due_at <= now, NoticeRow.state.in_(("waiting", "taken")))
            .where(recipient == WEBHOOK if webhook else recipient != WEBHOOK)
            .order_by(NoticeRow.due_at, NoticeRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._transaction() as session:
            row = session.scalars(due).first()
            if row is None:
                return None
            row.state, row.attempts, row.due_at = "taken", row.attempts + 1, now + LEASE
            session.flush()
            return _notice(row)

    def give_up_notices(self, now: datetime) -> None:
        """Settle what nobody is at work on any more, and what was not sent in its time."""
        lost = update(NoticeRow).where(NoticeRow.state == "handed", NoticeRow.due_at <= now)
        nobody_has_it = or_(
            NoticeRow.state == "waiting", and_(NoticeRow.state == "taken", NoticeRow.due_at <= now)
        )
        old = update(NoticeRow).where(nobody_has_it, NoticeRow.expires_at <= now)
        why = func.concat_ws("; ", "not delivered in its time", func.nullif(NoticeRow.error, ""))
        with self._transaction() as session:
            session.execute(
                lost.values(state="uncertain", error="its sender died as it was handed over")
            )
            session.execute(old.values(state="failed", error=why))

    def hand_over(self, notice: Notice, now: datetime) -> bool:
        """Say that a notice that was taken is handed over now; False if somebody else has it."""
        return self._move(notice, "taken", state="handed", due_at=now + LEASE)

    def notice_sent(self, notice: Notice, now: datetime) -> None:
        """Say that the server has taken a notice; late is better than uncertain."""
        self._move(notice, "handed", "uncertain", state="sent", sent_at=now, error="")

    def notice_failed(self, notice: Notice, error: str, again: datetime | None) -> None:
        """Say that a notice could not be handed over, and when to try again; None for never."""
        state = "failed" if again is None else "waiting"
        values: dict[str, Any] = {"state": state, "error": error[:500] or "failed"}
        if again is not None:
            values["due_at"] = again
        self._move(notice, "taken", "handed", "uncertain", **values)

    def notice_uncertain(self, notice: Notice, error: str) -> None:
        """Say that nobody can tell whether a notice arrived."""
        self._move(notice, "handed", state="uncertain", error=error[:500])

    def notices(self, activation_id: str | None = None, limit: int = 200) -> list[Notice]:
        """List notices, the newest first; of one activation, or of all."""
        wanted = select(NoticeRow).order_by(NoticeRow.id.desc()).limit(limit)
        if activation_id is not None:
            wanted = wanted.where(NoticeRow.activation_id == activation_id)
        with self._transaction() as session:
            return [_notice(row) for row in session.scalars(wanted)]

    def retry_notices(self, now: datetime, activation_id: str | None = None) -> int:
        """Make due what failed, is uncertain or waits for its next attempt; a person has asked.

        Returns
        -------
        int
            How many.
        """
        held_up = update(NoticeRow).where(NoticeRow.state.in_(("failed", "uncertain", "waiting")))
        if activation_id is not None:
            held_up = held_up.where(NoticeRow.activation_id == activation_id)
        with self._transaction() as session:
            # The count of attempts goes on: it tells a late answer to an earlier attempt apart.
            again = held_up.values(state="waiting", due_at=now, expires_at=now + PATIENCE)
            return len(session.execute(again.returning(NoticeRow.id)).all())

    def told(self, activation_id: str, kind: str) -> list[str]:
        """List the recipients that notices of a kind were queued for."""
        wanted = (
            select(NoticeRow.recipient)
            .where(NoticeRow.activation_id == activation_id, NoticeRow.kind == kind)
            .distinct()
        )
        with self._transaction() as session:
            return sorted(session.scalars(wanted))

    def _move(self, notice: Notice, *states: str, **values: Any) -> bool:
        """Change a notice, if it still is as this attempt left it."""
        ours = update(NoticeRow).where(
            NoticeRow.id == notice.id,
            NoticeRow.attempts == notice.attempts,
            NoticeRow.state.in_(states),
        )
        with self._transaction() as session:
            return bool(session.execute(ours.values(**values).returning(NoticeRow.id)).all())


def _notice(row: NoticeRow) -> Notice:
    names = Notice.__dataclass_fields__
    return Notice(**{name: getattr(row, name) for name in names})
