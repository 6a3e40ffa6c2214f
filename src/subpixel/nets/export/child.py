"""What runs as the child of an export: ends with its parent, and only then imports PyTorch."""

import sys
from pathlib import Path

from subpixel.system.processes.children import end_with_parent


def main() -> None:
    """Run the job in the folder that is named on the command line."""
    end_with_parent()
    from subpixel.nets.export.child_process import run_job

    run_job(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
