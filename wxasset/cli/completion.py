"""`wxasset completion SHELL`: the script that lets a shell complete commands and options."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from wxasset.cli.output import Output

__all__ = ["Shell", "completion_command"]

Shell: TypeAlias = Literal["bash", "zsh", "fish"]


def completion_command(generate: Callable[[Shell], str]) -> Callable[[Shell], int]:
    """Make the command of what generates a script."""

    def completion(shell: Shell, /) -> int:
        """Print the completion script of a shell; wxasset --install-completion puts it in its place.

        For one session: source <(wxasset completion bash).

        Args:
            shell: The shell.
        """
        Output.line(generate(shell))
        return 0

    return completion
