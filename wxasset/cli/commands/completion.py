"""Commands `wxasset completion SHELL` and `wxasset --install-completion`: shell completion."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from cyclopts.completion.detect import ShellDetectionError

from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.output import Output
from wxasset.errors import Hint, UsageError

__all__ = ["Shell", "completion_command", "install_command"]

Shell: TypeAlias = Literal["bash", "zsh", "fish"]


def completion_command(generate: Callable[[Shell], str]) -> Callable[[Shell], int]:
    """Create the command around a script generator."""

    def completion(shell: Shell, /) -> int:
        """Print the completion script of a shell; wxasset --install-completion installs it.

        For one session: source <(wxasset completion bash).

        Args:
            shell: The shell.
        """
        Output.line(generate(shell))
        return 0

    return completion


def install_command(install: Callable[[Shell | None], Path]) -> Callable[..., int]:
    """Create the command around an installer; the installer returns the path of the script."""

    def install_completion(*, shell: Shell | None = None) -> int:
        """Install completion for a shell, and print the path of the script.

        A line loading the script is added to the start-up file of bash or zsh.

        Args:
            shell: The shell; the current shell by default.
        """
        try:
            path = install(shell)
        except ShellDetectionError:
            raise UsageError("The current shell could not be detected: pass --shell bash, zsh or fish.") from None
        Output.line(str(path))
        note(Hint("Completion works in new shells.", "补全在新开的 shell 中生效。"), as_json=False)
        return 0

    return install_completion
