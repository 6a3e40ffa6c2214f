"""``python -m subpixel``."""

from subpixel.cli.main import main

main()
