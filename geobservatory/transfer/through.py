"""A file handed on as it comes: to hubs what `Part` is, but nothing of it lies on a disk.

The last bytes are kept back until the checksum of the whole is right: what is wrong never looks
complete. Who goes on from a byte gets the rest, and the whole is verified all the same: the
checksum goes on from where it was noted last, or from the beginning. Of a range that does not go to
the end nothing but its length can be verified.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geobservatory.errors import TransientError
from geobservatory.transfer.checkpoints import Checkpoints
from geobservatory.transfer.digest import ALGORITHMS, Hash, new_hash
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.source import Reply, Source

_KEPT_BACK = 4096

Give = Callable[[bytes], None]


class SpoiledError(TransientError):
    """What was handed on is not the beginning of the file, and cannot be taken back."""


@dataclass(frozen=True)
class Target:
    """What is to be handed on.

    Attributes
    ----------
    name
        Of the file.
    size
        Of the whole file, bytes; None where nobody tells.
    checksums
        Of the whole file.
    first, stop
        The bytes that are wanted; to the end where `stop` is None, and the whole is verified then.
    """

    name: str
    size: int | None
    checksums: Mapping[str, str] = field(default_factory=dict)
    first: int = 0
    stop: int | None = None

    @property
    def algorithm(self) -> str | None:
        """The checksum that is computed; None where there is none, or not all comes by."""
        if self.stop is not None:
            return None
        return next((one for one in ALGORITHMS if one in self.checksums), None)

    def can_come_from(self, source: Source) -> bool:
        """Tell whether a source has this very file: by a checksum in common, and the size.

        Where none is told of the target, it is for whoever names the sources to know.
        """
        if None not in (self.size, source.size) and self.size != source.size:
            return False
        common = self.checksums.keys() & source.checksums.keys()
        if not self.checksums:
            return True
        return bool(common) and all(self.checksums[one] == source.checksums[one] for one in common)


class Through:
    """One handing on of a file; used by one thread.

    Parameters
    ----------
    target
        What is wanted.
    give
        Takes the next bytes; may wait, and may raise.
    checkpoints
        States of checksums of what was handed on before.

    Attributes
    ----------
    have
        Up to which byte of the file all has come.
    given
        How many bytes were handed on.
    """

    def __init__(self, target: Target, give: Give, checkpoints: Checkpoints) -> None:
        self.path = Path(target.name)
        self.given = self.have = 0
        self._kept = b""
        self._target, self._give, self._checkpoints = target, give, checkpoints
        self._algorithm = target.algorithm
        self._key = "" if self._algorithm is None else target.checksums[self._algorithm]
        self._stride = checkpoints.stride(target.size)
        self._begin()

    def continues(self, source: Source) -> bool:
        """Tell that what has come is the beginning of a source's file: others are not asked."""
        return True

    def adopt(self, source: Source) -> None:
        """Make ready to take a source's bytes."""

    def cut(self, length: int) -> None:
        """Pass over what a source sends again."""
        self._again = self.have - length

    def append(self, piece: bytes) -> None:
        """Take the next bytes and hand them on.

        Raises
        ------
        WrongContentError
            If they are more than the file has.
        """
        if self._again:
            passed = min(self._again, len(piece))
            self._again -= passed
            piece = piece[passed:]
        if not piece:
            return
        end = self._target.size if self._target.stop is None else self._target.stop
        if end is not None and self.have + len(piece) > end:
            raise WrongContentError(f"{self._target.name}: more than {end} bytes come")
        before = self.have
        self.have += len(piece)
        if self._hash is None:
            self._hand_on(piece[max(0, self._target.first - before) :])
            return
        self._hash.update(piece)
        if self.have // self._stride > before // self._stride:
            self._checkpoints.note(self._key, self.have, self._hash)
        wanted = self._kept + piece[max(0, self._target.first - before) :]
        self._kept = wanted[-_KEPT_BACK:]
        self._hand_on(wanted[:-_KEPT_BACK])

    def discard(self) -> None:
        """Begin anew, if nothing was handed on yet.

        Raises
        ------
        SpoiledError
            If something was.
        """
        if self._key:
            self._checkpoints.forget(self._key)
        if self.given:
            raise SpoiledError(
                f"{self._target.name}: what was sent is not as its checksum says; it was broken off"
            )
        self._begin()

    def verify(self, size: int | None, also: tuple[Mapping[str, str], ...] = ()) -> None:
        """Tell that all has come, and is right; see `Part.verify`."""
        if self._hash is not None:
            digest = self._hash.hexdigest()
            if digest != self._key:
                raise WrongContentError(
                    f"{self._target.name}: the {self._algorithm} of what came is {digest}, not"
                    f" {self._key}"
                )
        elif size is not None and self.have != size:
            raise WrongContentError(f"{self._target.name}: {self.have} of {size} bytes came")

    def finish(self) -> None:
        """Hand on what was kept back: it is verified."""
        kept, self._kept = self._kept, b""
        self._hand_on(kept)

    def leave(self) -> None:
        """Note how far it is, for who goes on."""
        if self._hash is not None and self.have and not self._again:
            self._checkpoints.note(self._key, self.have, self._hash)

    def _begin(self) -> None:
        self._hash: Hash | None = None
        self.have, self._kept, self._again = self._target.first, b"", 0
        if self._algorithm is not None:
            noted = self._checkpoints.before(self._key, self._target.first)
            self.have, self._hash = noted or (0, new_hash(self._algorithm))

    def _hand_on(self, piece: bytes) -> None:
        if piece:
            self._give(piece)
            self.given += len(piece)


@dataclass(frozen=True)
class Slice:
    """The beginning of a source's file, up to a byte; see `Source`."""

    inner: Source
    stop: int
    whole: int | None

    @property
    def hub(self) -> str:
        """See `Source`."""
        return self.inner.hub

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.inner.name

    @property
    def size(self) -> int | None:
        """See `Source`."""
        return self.stop

    @property
    def checksums(self) -> Mapping[str, str]:
        """See `Source`: of a part there are none."""
        return {}

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """See `Source.open`."""
        reply = self.inner.open(first_byte, self.stop if stop is None else min(stop, self.stop))
        if self.whole is not None and reply.total not in (None, self.whole):
            reply.close()
            raise WrongContentError(
                f"{self.name} from {self.hub}: {reply.total} bytes, and not {self.whole}"
            )
        chunks = _until(reply.chunks, self.stop - reply.first_byte)
        return Reply(reply.first_byte, self.stop, chunks, reply.close)


def sources_for(target: Target, sources: Sequence[Source]) -> list[Source]:
    """Take the sources that have this very file; of a part, sources of the part."""
    same = [one for one in sources if target.can_come_from(one)]
    if target.stop is None:
        return same
    return [Slice(one, target.stop, target.size) for one in same]


def _until(chunks: Iterator[bytes], left: int) -> Iterator[bytes]:
    for piece in chunks:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
