"""`wxasset completion SHELL` and `wxasset --install-completion`: commands and options that a shell completes."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from cyclopts.completion.detect import ShellDetectionError

from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.output import Output
from wxasset.errors import UsageError

__all__ = ["Shell", "completion_command", "install_command"]

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


def install_command(install: Callable[[Shell | None], Path]) -> Callable[..., int]:
    """Make the command of what puts a script in its place, and tells where that is."""

    def install_completion(*, shell: Shell | None = None) -> int:
        """Install completion for a shell, and print where the script is.

        The start-up file of bash or zsh gets a line that loads it.

        Args:
            shell: The shell; the one that this runs in by default.
        """
        try:
            path = install(shell)
        except ShellDetectionError:
            raise UsageError("It cannot be told which shell this runs in: pass --shell bash, zsh or fish.") from None
        Output.line(str(path))
        note("Start a new shell, and it completes.", as_json=False)
        return 0

    return install_completion
