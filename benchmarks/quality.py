"""How good the pictures are that rows without a manifest make: interpolation, the tutorial.

    python benchmarks/quality.py FOLDER DATA

Run by performance.py, in a process of its own. FOLDER holds the files of networks.py, DATA the sets
Set5 and Set14 (GT/, x3/). Prints Y-PSNR in dB by the literature's protocol, as JSON, of the peers
that are installed.
"""

import json
import sys
from pathlib import Path

from network_files import SCALE, Files
from peers import PEERS, Setting

from subpixel.measure.benchmark_set import benchmark
from subpixel.measure.evaluate import evaluate

SETS = ("Set5", "Set14")


def main() -> None:
    folder, data = map(Path, sys.argv[1:])
    setting = Setting(Files(folder), "cpu")
    rows = [peer for peer in PEERS.values() if peer.kind in ("tutorial", "floor")]
    found = {}
    for peer in rows:
        try:
            upscale = peer.open(setting).run
        except ModuleNotFoundError as error:
            print(f"{peer.name} is left out: {error}", file=sys.stderr)
            continue
        pictures = {name: benchmark(data / name, SCALE) for name in SETS}
        found[peer.name] = {name: evaluate(upscale, p).network.psnr for name, p in pictures.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
