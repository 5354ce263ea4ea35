"""Programs that a command starts: options after the name of a program are its own."""

from collections.abc import Sequence

from cyclopts import App, Argument

__all__ = ["delimited"]


def delimited(command: App, arguments: Sequence[str]) -> list[str]:
    """Put ``--`` before the program among the arguments of a command, as its parser takes options in any place.

    Args:
        command: The command.
        arguments: Its arguments, without its name.
    """
    known = command.assemble_argument_collection()
    values = {name: _values(one) for one in known for name in one.names}
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        option = arguments[place]
        if option == "--":
            return list(arguments)
        place += 1 if "=" in option else 1 + values.get(option, 0)
    return [*arguments[:place], "--", *arguments[place:]] if place < len(arguments) else list(arguments)


def _values(option: Argument) -> int:
    """Count the values of an option; one that can be negated is a flag."""
    is_flag = any(name.startswith("--no-") for name in option.negatives)
    return 0 if is_flag else option.token_count()[0]
