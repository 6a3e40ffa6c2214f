"""Text that comes from files, made harmless: no terminal, browser or editor obeys any of it."""

NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}

SEPARATORS = (0x2028, 0x2029)
"""Unicode's own line and paragraph separators."""

DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Bidirectional embeddings, overrides and isolates: they show text in another order."""

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *SEPARATORS, *DIRECTIONS)

_ESCAPES = {
    **{code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROLS},
    **{ord(char): text for char, text in NAMED.items()},
    **{code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)},
    **{0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)},
}
"""By code point. Bytes of file names that are no UTF-8 come as U+DC80 to U+DCFF."""

_WITHOUT_NEWLINE = {code: text for code, text in _ESCAPES.items() if code != ord("\n")}


def escape_controls(text: str, *, keep_newlines: bool = False) -> str:
    """``text`` with control characters, changes of direction and bytes that are no text shown as
    ``\\x1b``, ``\\u202e`` or ``\\n``; the result can be encoded as UTF-8."""
    return text.translate(_WITHOUT_NEWLINE if keep_newlines else _ESCAPES)


def escape_markdown(text: str) -> str:
    """A page of Markdown, in which names of files and texts of networks stand, without markup of
    theirs: no HTML, no links, no pictures that a reader's browser would fetch."""
    plain = escape_controls(text, keep_newlines=True)
    for markup in ("<", "![", "](", "]:"):
        plain = plain.replace(markup, f"{markup[:-1]}\\{markup[-1]}")
    return plain
