"""JSON of the user's cache, and of the gallery, is read."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from tests.robustness.case import Verdict
from tests.robustness.kinds import Budget, Trial
from tests.robustness.mutation.plain import Dice
from tests.robustness.seeds.caches import cache_seeds

from subpixel.errors import SubpixelError
from subpixel.network.locate import locate
from subpixel.network.tuning import parse_tuning
from subpixel.network.tuning_cache import list_tunings, load_tuning, store_tuning, tuning_key
from subpixel.system.files.cache import cache_folder
from subpixel.zoo.gallery import store
from subpixel.zoo.gallery.catalogue import parse_catalogue


@dataclass(frozen=True)
class UserCache:
    """A cache of its own, of which one file at a time is replaced."""

    tuning: Path
    content: dict[str, object]
    """Of that file, as ``tune`` stored it."""
    entry: Path
    """Of the gallery."""

    def try_file(self, _dice: Dice, source: Path, _budget: Budget) -> Verdict:
        """Read ``source`` where the cache has a file of its kind."""
        try:
            lines = self._read(source.stem, source.read_bytes())
        except SubpixelError as error:
            return Verdict("refused", str(error))
        return Verdict("refused" if lines else "ok", "; ".join(lines))

    def _read(self, name: str, data: bytes) -> list[str]:
        """The faults that were said."""
        if name == "catalogue":
            return list(parse_catalogue(data).faults.values())
        if name == "entry":
            self.entry.write_bytes(data)
            lines = list(store.entries()[1])
            store.find_entry("4x-a")
            return lines
        self.tuning.write_bytes(self._sign(data))
        lines = list(list_tunings()[1])
        load_tuning("fast", scale=2, warn=lines.append)
        return lines

    def _sign(self, data: bytes) -> bytes:
        """With a right checksum, unless it is no JSON."""
        try:
            tuning = json.loads(data)
            text = json.dumps(tuning)
        except (ValueError, RecursionError):
            return data
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps(self.content | {"sha256": digest, "tuning": tuning}).encode()


def open_trial() -> Trial:
    """With a tuning of a bundled network, which is then replaced."""
    seed = next(seed for seed in cache_seeds() if seed.name == "tuning.json")
    tuning = parse_tuning(json.loads(seed.data))
    file = store_tuning(tuning, tuning_key(locate("fast", 2)))
    networks = cache_folder() / "gallery" / "networks"
    networks.mkdir(parents=True, exist_ok=True)
    return UserCache(file, json.loads(file.read_bytes()), networks / "4x-a.json").try_file
