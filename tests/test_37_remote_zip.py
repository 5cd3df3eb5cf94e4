"""The files inside a zip at a hub: each by its range, whatever the zip is like, and never a lie."""

import dataclasses
import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator

import pytest
from partial_hubs import Bytes

from geobservatory.errors import TransientError
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.ranged import RangesIgnoredError
from geobservatory.transfer.remote_zip import RemoteZip
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError, Reply

NAME = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
CHANCE = random.Random(37)
# One that packs well, one that does not, one that is empty.
FILES = {
    "manifest.safe": b"<manifest/>" * 3000,
    "measurement/image.tiff": CHANCE.randbytes(700_000) + bytes(700_000),
    "preview/nothing": b"",
    "annotation/one.xml": CHANCE.randbytes(5_000),
}


def packed(
    method: int = zipfile.ZIP_STORED, *, zip64: bool = False, folder: str = f"{NAME}.SAFE"
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(f"{folder}/annotation/", b"")
        for name, content in FILES.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}")
            entry.compress_type = method
            with archive.open(entry, "w", force_zip64=zip64) as member:
                member.write(content)
    return file.getvalue()


def at_hub(content: bytes, **changes: object) -> tuple[RemoteZip, Bytes]:
    source = dataclasses.replace(Bytes("hub", f"{NAME}.zip", content, len(content)), **changes)  # type: ignore[arg-type]
    return RemoteZip(NAME, source), source


def read(remote: RemoteZip, name: str, first: int = 0, stop: int | None = None) -> bytes:
    reply = remote.source(name).open(first, stop)
    try:
        assert (reply.first_byte, reply.total) == (first, len(FILES[name]))
        return b"".join(reply.chunks)
    finally:
        reply.close()


@pytest.mark.parametrize("size", ["told", "not told"])
@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_are_what_was_packed(method: int, zip64: bool, size: str) -> None:
    content = packed(method, zip64=zip64)
    remote, source = at_hub(content, **({"size": None} if size == "not told" else {}))
    assert remote.members() == {name: len(one) for name, one in FILES.items()}
    assert source.sent <= (1 << 16)
    for name, truth in FILES.items():
        assert read(remote, name) == truth
        for first, stop in ((1, None), (0, 7), (len(truth) // 2, len(truth) // 2 + 999)):
            if first < len(truth):
                assert read(remote, name, first, stop) == truth[first:stop]
    with pytest.raises(ProductGoneError):
        remote.source("measurement/other.tiff")


def test_a_range_of_a_stored_file_is_a_range_of_the_zip() -> None:
    remote, source = at_hub(packed())
    remote.members()
    before = source.sent
    read(remote, "measurement/image.tiff", 300_000, 400_000)
    assert source.sent - before == 100_000 + 30
    read(remote, "measurement/image.tiff", 10, 20)
    assert source.sent - before == 100_000 + 30 + 10
    read(remote, "annotation/one.xml")
    assert source.sent - before < 100_000 + 30 + 10 + 5_000 + 200


def test_inflating_ends_with_the_range() -> None:
    remote, source = at_hub(packed(zipfile.ZIP_DEFLATED))
    remote.members()
    before = source.sent
    assert read(remote, "measurement/image.tiff", 100, 200)
    assert source.sent - before <= 1 << 16


def test_a_zip_of_nearly_nothing_may_be_very_much() -> None:
    """A bomb is inflated in steps, and no further than the directory says."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NAME}.SAFE/manifest.safe", bytes(50_000_000))
    content = file.getvalue()
    size = struct.pack("<I", 50_000_000)
    assert content.count(size) == 2
    remote, _ = at_hub(content.replace(size, struct.pack("<I", 1000)))
    with pytest.raises(WrongContentError, match="length is off"):
        b"".join(remote.source("manifest.safe").open().chunks)


def shortened(content: bytes) -> bytes:
    return content[:-500]


def without_end(content: bytes) -> bytes:
    return content[: -1 << 10] + bytes(1 << 10)


def encrypted(content: bytes) -> bytes:
    return content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")


def other_method(content: bytes) -> bytes:
    place = content.rindex(b"PK\x01\x02")
    return content[: place + 10] + struct.pack("<H", 97) + content[place + 12 :]


def moved(content: bytes) -> bytes:
    place = content.rindex(b"PK\x01\x02") + 42
    return content[:place] + struct.pack("<I", 1_000) + content[place + 4 :]


def climbing(content: bytes) -> bytes:
    return content.replace(b"annotation/one.xml", b"annotation/../.xml")


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


@pytest.mark.parametrize(
    "damage",
    [shortened, without_end, encrypted, other_method, moved, climbing, lambda _: b"", zeros],
)
def test_a_damaged_zip_is_told_from_a_whole_one(damage: Callable[[bytes], bytes]) -> None:
    content = damage(packed())
    with pytest.raises(TransientError) as caught:
        for name in at_hub(content)[0].members():
            read(at_hub(content)[0], name)
    assert NAME in str(caught.value)


def test_another_product_is_none() -> None:
    with pytest.raises(WrongContentError, match="it holds"):
        at_hub(packed(folder="S1A_OTHER.SAFE"))[0].members()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("seed", range(30))
def test_any_other_byte_is_found_out_or_harms_nothing(method: int, seed: int) -> None:
    """What is read whole is what was packed, or an error of ours."""
    content, chance = bytearray(packed(method)), random.Random(seed)
    # In the directory and the headers as often as in the content.
    signatures = [at for at in range(len(content)) if content[at : at + 2] == b"PK"]
    at = (
        chance.choice(signatures) + chance.randrange(60)
        if seed % 2
        else chance.randrange(len(content))
    )
    at = min(at, len(content) - 1)
    content[at] ^= chance.randrange(1, 256)
    for name, truth in FILES.items():
        remote, _ = at_hub(bytes(content))
        try:
            reply = remote.source(name).open()
            assert b"".join(reply.chunks) == truth
        except (TransientError, ProductGoneError):
            continue


def test_a_hub_that_sends_no_ranges_is_refused_at_once() -> None:
    def whole(file: Bytes, first: int, stop: int | None) -> Reply:
        return file.reply(0, None)

    remote, source = at_hub(packed(), lie=whole)
    with pytest.raises(RangesIgnoredError, match="only the whole"):
        remote.members()
    assert source.sent == 0
    # And where it does so later.
    remote, source = at_hub(packed())
    remote.members()
    source.lie, before = whole, source.sent
    for first in (0, 10):
        with pytest.raises(RangesIgnoredError):
            remote.source("measurement/image.tiff").open(first, first + 10)
    assert source.sent == before


def test_a_zip_that_changes_under_way_is_refused() -> None:
    def grown(file: Bytes, first: int, stop: int | None) -> Reply:
        return dataclasses.replace(file.reply(first, stop), total=len(file.content) + 3)

    remote, source = at_hub(packed())
    remote.members()
    source.lie = grown
    with pytest.raises(WrongContentError):
        read(remote, "manifest.safe")
    with pytest.raises(WrongContentError):
        read(remote, "manifest.safe", 5, 10)
    with pytest.raises(WrongContentError):
        RemoteZip(NAME, source).members()


def test_a_hub_that_does_not_tell_the_size_is_refused() -> None:
    def silent(file: Bytes, first: int, stop: int | None) -> Reply:
        return dataclasses.replace(file.reply(first, stop), total=None)

    with pytest.raises(HubUnreachableError, match="size"):
        at_hub(packed(), size=None, lie=silent)[0].members()
    # Where the catalogue does, nobody else needs to.
    assert read(at_hub(packed(), lie=silent)[0], "manifest.safe") == FILES["manifest.safe"]


def test_a_connection_that_ends_early_is_no_file() -> None:
    def short(file: Bytes, first: int, stop: int | None) -> Reply:
        def pieces() -> Iterator[bytes]:
            yield next(file.pieces(first, stop, 20))

        return Reply(first, len(file.content), pieces(), lambda: None)

    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        remote, source = at_hub(packed(method))
        remote.members()
        source.lie = short
        with pytest.raises(HubUnreachableError):
            read(remote, "annotation/one.xml")
        with pytest.raises(HubUnreachableError):
            remote.source("annotation/one.xml").open(10, 20).chunks.__next__()
