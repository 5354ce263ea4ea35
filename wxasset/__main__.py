"""The command `wxasset`, also run as `python -m wxasset`."""

import signal
import sys
from typing import Final

__all__ = ["main"]

_EXTRA: Final = frozenset({"cyclopts", "rich"})  # what `wxasset[cli]` installs


def main() -> None:
    """Run the command line, and leave with its exit status."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        # A parent may pass on that it ignores them, as shells do for background jobs; they must still end the command.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        from wxasset.cli import run  # noqa: PLC0415  # the extra may be missing, which is told in one sentence
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        sys.stderr.write(
            f"The wxasset command needs {missing}, which is not installed; please run: pip install 'wxasset[cli]'\n"
        )
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
