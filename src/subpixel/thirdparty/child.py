"""What runs as the child that identifies a third-party file: it ends with its parent, and takes no
more memory than it is allowed."""

import pickle
import sys
from pathlib import Path

from subpixel.convention import Convention
from subpixel.errors import NetworkError, SubpixelError
from subpixel.system.processes.children import end_with_parent, limit_memory
from subpixel.thirdparty.apart import (
    JOB,
    MODEL,
    ProbeAnswer,
    ProbeLimits,
    tell_shortage,
    to_answer,
    write_answer,
)


def main() -> None:
    """Identify the file that the job in the folder on the command line names."""
    end_with_parent()
    folder = Path(sys.argv[1])
    file, name, convention, limits = pickle.loads((folder / JOB).read_bytes())
    write_answer(folder, _answer(folder, Path(file), name, convention, limits))


def _answer(
    folder: Path, file: Path, name: str, convention: Convention, limits: ProbeLimits
) -> ProbeAnswer:
    limit_memory(limits.memory)
    try:
        return _identify_file(folder, file, name, convention)
    except SubpixelError as error:
        return to_answer(error)
    except MemoryError:
        return to_answer(NetworkError(f"{tell_shortage(limits)}; it can't be used"))


def _identify_file(folder: Path, file: Path, name: str, convention: Convention) -> ProbeAnswer:
    from subpixel.graph.metadata import load_model, read_spec
    from subpixel.graph.ort_format import HEAD, is_ort
    from subpixel.thirdparty.adopt import adopt_model

    with file.open("rb") as stream:
        if is_ort(stream.read(HEAD)):
            return _identify_ort(file, name, convention)
    model = load_model(file)
    if read_spec(model) is not None:
        raise NetworkError("its metadata is no ordinary message; export it again")
    adopted = adopt_model(model, name, convention)
    if not adopted.unchanged:
        (folder / MODEL).write_bytes(adopted.model.SerializeToString())
    return ProbeAnswer(adopted.spec.to_metadata(), adopted.remark, adopted.unchanged)


def _identify_ort(file: Path, name: str, convention: Convention) -> ProbeAnswer:
    from subpixel.runtime.opening import open_session
    from subpixel.thirdparty.op import probe_ordinary

    session = open_session(file)
    if session.takes_codes:
        raise NetworkError(
            "it takes uint8, and a file of ONNX Runtime's own format can't be rewritten; adopt the "
            "ONNX file that it was made from (subpixel adopt)"
        )
    spec = probe_ordinary(session, name, convention)
    return ProbeAnswer(spec.to_metadata(), "float NCHW, values in 0..1, as it is", unchanged=True)


if __name__ == "__main__":
    main()
