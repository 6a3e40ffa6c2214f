import hashlib
from pathlib import Path

from subpixel.system.files.hashing import hash_file


def test_it_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"", b"subpixel", bytes(range(256)) * 5000):
        file.write_bytes(content)
        assert hash_file(file) == hashlib.sha256(content).hexdigest()
