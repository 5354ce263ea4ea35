"""Corrections of the completion scripts that Cyclopts generates, tried in bash 5, zsh 5.9 and fish 3.6."""

import os
import shlex
from pathlib import Path
from typing import Final

__all__ = ["corrected", "load_in_zsh"]

_BASH: Final = (
    # Names of files with blanks are one word, and directories end with a slash.
    ("COMPREPLY=( $(compgen -f", "local IFS=$'\\n'; COMPREPLY=( $(compgen -f"),
    ("complete -F", "complete -o filenames -F"),
)
_FISH: Final = (
    # The image of "ls image" is no command: only groups have commands below them.
    (
        """if string match -q -- "* $word *" " $all_commands "\n""",
        """if test "$subcommands" = "" -o "$subcommands" = cloud -o "$subcommands" = media\n""",
    ),
)
_WITHOUT_FILES: Final = (
    *("cloud", "cloud get", "cloud rm", "cloud url", "completion", "count", "doctor", "get", "ls", "media"),
    *("media get", "quota", "rm", "token", "web"),
)
_ZSH: Final = """
# Called by the completion system, which has loaded this file; or sourced, also without that system.
if [ "$funcstack[1]" = _cyclopts_wxasset ]; then
  _cyclopts_wxasset "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _cyclopts_wxasset wxasset
fi
"""


def corrected(script: str, shell: str) -> str:
    """Correct the completion script of a shell."""
    for found, better in {"bash": _BASH, "fish": _FISH}.get(shell, ()):
        script = script.replace(found, better)
    if shell == "fish":
        tests = ("__fish_use_subcommand", *(f"'__fish_wxasset_using_command {one}'" for one in _WITHOUT_FILES))
        script += "\n# Commands without files\n" + "".join(f"complete -c wxasset -n {one} -f\n" for one in tests)
    return script + _ZSH if shell == "zsh" else script


def load_in_zsh(script: Path) -> None:
    """Let new shells load the script, also those that do not use the completion system, or have started it before."""
    start = Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
    line = f"source {shlex.quote(str(script))}"
    before = start.read_text("utf-8") if start.exists() else ""
    if line not in before.splitlines():
        with start.open("a", encoding="utf-8") as file:
            file.write(("" if not before or before.endswith("\n") else "\n") + f"# wxasset completions\n{line}\n")
