"""What people did, and tried to do; no secret stands in it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select

from geobservatory.catalog.account_tables import AuditRow
from geobservatory.catalog.session import Sessions


@dataclass(frozen=True)
class Audited:
    """Something that somebody did, or tried to: ``done``, ``refused`` or ``failed``."""

    at: datetime
    who: str
    address: str
    action: str
    object: str
    outcome: str


class AuditQueries(Sessions):
    """The part of the catalogue that is about what was done."""

    def note_audit(self, who: str, address: str, action: str, of: str, outcome: str) -> None:
        """Write down what somebody did; no secret goes in here."""
        row = AuditRow(
            who=_line(who), address=address, action=action, object=_line(of), outcome=outcome
        )
        with self._transaction() as session:
            session.add(row)

    def audit(
        self,
        *,
        who: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Audited]:
        """List what was done, the newest first."""
        wanted = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if who is not None:
            wanted = wanted.where(AuditRow.who == who)
        if action is not None:
            wanted = wanted.where(
                or_(
                    AuditRow.action == action,
                    AuditRow.action.startswith(f"{action}.", autoescape=True),
                )
            )
        if since is not None:
            wanted = wanted.where(AuditRow.at >= since)
        with self._transaction() as session:
            names = Audited.__dataclass_fields__
            return [
                Audited(**{name: getattr(row, name) for name in names})
                for row in session.scalars(wanted)
            ]

    def forget_audit(self, before: datetime) -> int:
        """Forget what was done before a time; how much that was."""
        gone = delete(AuditRow).where(AuditRow.at < before).returning(AuditRow.id)
        with self._transaction() as session:
            return len(session.execute(gone).all())


def _line(text: str) -> str:
    """Keep what a stranger sent from writing lines of its own, or pages."""
    return "".join(one if one.isprintable() else "?" for one in text[:300])
