"""Comments: texts without a key, as JPEG and GIF hold them, in no encoding that is named."""


def decode_comment(data: bytes) -> str:
    """UTF-8, or else Latin-1; zero bytes at the end are no text."""
    data = data.rstrip(b"\0")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
