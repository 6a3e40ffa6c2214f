"""Texts of a PNG, decoded within a budget, and encoded. Source: W3C PNG 3rd edition, 11.3.3."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from subpixel.media.formats.account import FilePart
from subpixel.media.metadata.budget import Budget, NoRoomError, inflate
from subpixel.media.picture import Loss

XMP_KEYWORD = "XML:com.adobe.xmp"

MAX_TEXT = 1 << 24
"""Most bytes that one text may unfold to."""

NO_ROOM = "a text that has no room in memory beside the others"


@dataclass
class Texts:
    """The texts of a file, taken in one after the other."""

    budget: Budget = field(default_factory=Budget)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    """Key and value, in file order."""
    xmp: bytes | None = None
    """The first XMP packet."""
    losses: list[FilePart] = field(default_factory=list)

    def add(self, name: bytes, data: bytes) -> None:
        """One more chunk; what is damaged or has no room is among the losses."""
        try:
            key, text = _decode_text(name, data, self.budget)
        except ValueError as error:
            self._lose(str(error), len(data))
            return
        if name == b"iTXt" and _is_translated(data):
            reason = "the language of a text and its translated key"
            self.losses.append(_lose_text("text", reason, len(data)))
        if key != XMP_KEYWORD:
            self.pairs.append((key, text))
        elif self.xmp is None:
            self.xmp = text.encode()
        else:
            self.losses.append(_lose_text("xmp", "a further XMP packet", len(data)))

    def add_oversized(self, size: int) -> None:
        """A chunk that has no room, so that it isn't read."""
        self._lose(NO_ROOM, size)

    def _lose(self, reason: str, size: int) -> None:
        self.losses.append(_lose_text("text", reason, size))


def _lose_text(what: str, reason: str, size: int) -> FilePart:
    return FilePart(reason, size, Loss(what, f"{reason}; left out"))


def _decode_text(name: bytes, data: bytes, budget: Budget) -> tuple[str, str]:
    key, _, rest = data.partition(b"\0")
    keyword = key.decode("latin-1")
    if name == b"tEXt":
        return keyword, rest.decode("latin-1")
    if name == b"zTXt":
        text = _inflate(rest[1:], budget)
        return keyword, text.decode("utf-8" if keyword == XMP_KEYWORD else "latin-1")
    is_deflated, (_, _, text) = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    return keyword, (_inflate(text, budget) if is_deflated else text).decode()


def _is_translated(data: bytes) -> bool:
    """Whether a language or a translated key stands between the key and the text."""
    return data.partition(b"\0")[2][2:4] != bytes(2)


def _inflate(data: bytes, budget: Budget) -> bytes:
    """What unfolds counts, be it of use or not."""
    try:
        return inflate(data, budget, MAX_TEXT)
    except NoRoomError as error:
        raise ValueError(NO_ROOM) from error
    except EOFError as error:
        raise ValueError(f"a compressed text is cut off or over {MAX_TEXT:,} bytes") from error
    except zlib.error as error:
        raise ValueError(f"a compressed text is damaged ({error})") from error


def encode_texts(xmp: bytes | None, texts: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Names and contents of chunks, uncompressed."""
    chunks = [_encode_text(key, text) for key, text in texts]
    if xmp is not None:
        chunks.insert(0, (b"iTXt", XMP_KEYWORD.encode() + bytes(5) + xmp))
    return chunks


def _encode_text(key: str, text: str) -> tuple[bytes, bytes]:
    keyword = key.encode("latin-1")
    try:
        return b"tEXt", keyword + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", keyword + bytes(5) + text.encode()
