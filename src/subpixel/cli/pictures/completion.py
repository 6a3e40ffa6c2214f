"""``subpixel completion``."""

import click
from click.shell_completion import get_completion_class

from subpixel.cli.streams import print_line

SHELLS = ("bash", "zsh", "fish")


@click.command(no_args_is_help=True)
@click.argument("shell", type=click.Choice(SHELLS), metavar="|".join(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, networks and files.

    Put one of these lines into the file that your shell reads at its start:

    \b
    eval "$(subpixel completion bash)"         ~/.bashrc
    eval "$(subpixel completion zsh)"          ~/.zshrc
    subpixel completion fish | source          ~/.config/fish/config.fish
    """
    root = context.find_root()
    name = root.info_name or "subpixel"
    completion = get_completion_class(shell)
    assert completion is not None
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    for line in completion(root.command, {}, name, variable).source().splitlines():
        print_line(line)
