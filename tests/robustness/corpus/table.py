"""The whole corpus, as kinds of input whose files are taken as they are."""

from dataclasses import replace

from tests.robustness.corpus.hostile_file import HostileFile
from tests.robustness.kinds import Kind, find_kind


def hostile_pictures() -> tuple[HostileFile, ...]:
    """Those that lie about their pixels, and those with a bomb beside them."""
    from tests.robustness.corpus.metadata_bombs import BOMBS
    from tests.robustness.corpus.pictures import PICTURES

    return PICTURES + BOMBS


def hostile_networks() -> tuple[HostileFile, ...]:
    """ONNX files."""
    from tests.robustness.corpus.networks import NETWORKS

    return NETWORKS


def hostile_checkpoints() -> tuple[HostileFile, ...]:
    """What PyTorch would be asked to read."""
    from tests.robustness.corpus.checkpoints import CHECKPOINTS

    return CHECKPOINTS


TABLES = {
    "pictures": hostile_pictures,
    "networks": hostile_networks,
    "checkpoints": hostile_checkpoints,
}


def corpus_kind(name: str) -> Kind:
    """The files of one of :data:`TABLES`, tried as mutated files of that kind are."""
    seeds, trial = f"corpus.table:hostile_{name}", f"trials.{name}:open_plain_trial"
    plain = replace(find_kind(name), seeds=seeds, trial=trial)
    return replace(plain, name=f"corpus-{name}", mutates=False)
