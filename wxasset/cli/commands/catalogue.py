"""The commands, with the texts of the overview: the module of a command is imported when it is used."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

__all__ = ["COMMANDS", "GROUPS", "Command", "used"]

LIBRARY, FILES, ACCOUNT, SIMULATOR, OTHER = GROUPS = (
    "Permanent materials",
    "Other files",
    "The account",
    "The simulator",
    "Other",
)
_COMPLETION: Final = frozenset({"completion", "--install-completion", "--generate-completion"})


class Command(NamedTuple):
    """A command.

    Attributes:
        name: The name.
        group: The group in the overview.
        place: Module and attribute of the function, or of the group of commands.
        summary: The first sentence of its docstring, for the overview.
        example: Arguments of an example for the help text.
        usage: Arguments to show; those of the function by default.
    """

    name: str
    group: str
    place: str
    summary: str
    example: str = ""
    usage: str | None = None

    def load(self) -> Any:
        """Import the command."""
        module, _, name = self.place.partition(":")
        return getattr(import_module(f"wxasset.cli.commands.{module}"), name)


COMMANDS: Final = (
    Command(
        "add",
        LIBRARY,
        "add:add_command",
        "Add permanent materials to the library.",
        "poster.png greeting.mp3",
        "[TYPE] FILE... [OPTIONS]",
    ),
    Command(
        "get",
        LIBRARY,
        "get:get_command",
        "Download permanent materials.",
        "MEDIA_ID -o downloads/",
        "MEDIA_ID... [OPTIONS]",
    ),
    Command(
        "ls",
        LIBRARY,
        "library:ls_command",
        "List materials of a type, newest first.",
        "image --all > images.tsv",
        "TYPE [OPTIONS]",
    ),
    Command(
        "rm",
        LIBRARY,
        "library:rm_command",
        "Delete permanent materials; this cannot be undone.",
        "MEDIA_ID --dry-run",
        "MEDIA_ID... [OPTIONS]",
    ),
    Command("count", LIBRARY, "library:count_command", "Count the materials of each type.", "--json"),
    Command(
        "batch",
        LIBRARY,
        "batch:batch_command",
        "Add many permanent materials, and continue an interrupted batch.",
        "posters/ --type image",
        "DIR|LIST|- --type TYPE [OPTIONS]",
    ),
    Command("ledger", LIBRARY, "ledger:ledgers", "The ledger of uploads, beside the library of the account."),
    Command(
        "image",
        FILES,
        "add:image_command",
        "Upload images for the bodies of articles, and print their URLs.",
        "poster.png",
        "FILE... [OPTIONS]",
    ),
    Command("media", FILES, "media:media", "Temporary media: valid for three days, and not listed by WeChat."),
    Command("cloud", FILES, "cloud:cloud", "Files in the cloud storage of a Mini Program."),
    Command(
        "doctor",
        ACCOUNT,
        "doctor:doctor_command",
        "Find problems of configuration and network, and explain how to solve them.",
        "> report.txt",
    ),
    Command(
        "quota",
        ACCOUNT,
        "quota:quota_command",
        "Show the usage of the library, and the remaining calls of each API for today.",
        "--account shop",
    ),
    Command("token", ACCOUNT, "token:token_command", "Show the origin and the lifetime of the access token."),
    Command(
        "web",
        ACCOUNT,
        "web:web_command",
        "Serve a page for the library until Ctrl-C: show, search, upload and delete materials in a browser.",
        "--read-only",
    ),
    Command(
        "demo",
        SIMULATOR,
        "simulate:demo_command",
        "Upload files, list, download and compare them, and delete them again.",
        "poster.png",
        "[OPTIONS] [FILE...]",
    ),
    Command(
        "simulate",
        SIMULATOR,
        "simulate:simulate_command",
        "Serve the simulator until Ctrl-C or SIGTERM. Without --state it stores all data in memory.",
        "-- python start.py",
        "[OPTIONS] [-- COMMAND...]",
    ),
    Command(
        "completion",
        OTHER,
        "completion:completion_command",
        "Print the completion script of a shell; wxasset --install-completion installs it.",
        "bash",
    ),
    Command(
        "--install-completion",
        OTHER,
        "completion:install_command",
        "Install completion for a shell, and print the path of the script.",
    ),
)


def used(arguments: Sequence[str]) -> frozenset[str]:
    """Return the names of the commands that a command line may use; a completion script names all of them."""
    names = frozenset(command.name for command in COMMANDS)
    return names if _COMPLETION.intersection(arguments) else names.intersection(arguments)
