"""Whole numbers out of text that anybody may have written, however long."""


def read_whole_number(text: str, most: int) -> int | None:
    """The number that decimal digits mean, ``most + 1`` for whatever is larger; None for other
    text. Zeros may stand before it."""
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0") or "0"
    return most + 1 if len(digits) > len(str(most)) else min(int(digits), most + 1)
