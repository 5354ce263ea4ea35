"""Nothing in wxasset blocks its event loop: in each test, and in programs that are run with this one.

``python tests/support/blocking.py demo`` runs the command line like that.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from blockbuster import BlockBuster, BlockBusterFunction, blockbuster_ctx

__all__ = ["unblocked"]

_MORE: Final = (
    "builtins.open",
    "io.open",
    "os.chmod",
    "os.fstat",
    "os.fsync",
    "os.lstat",
    "os.open",
    "os.utime",
    "socket.getaddrinfo",
    *(("fcntl.flock", "os.ftruncate", "os.pread") if os.name == "posix" else ()),
)
"""What blockbuster's own list leaves out. Still not watched: `os.preadv`, which reads the page cache without waiting;
`os.close` and `os.dup`, which are made in the loop for files that were only read; and computing, such as hashes."""


@contextmanager
def unblocked() -> Iterator[BlockBuster]:
    """Raise `BlockingError` where code below wxasset blocks in the thread of an event loop."""
    with blockbuster_ctx(scanned_modules=["wxasset"]) as found:
        for name in _MORE:
            function = BlockBusterFunction(None, name, scanned_modules=["wxasset"])
            found.functions[name] = function.activate()
        for function in found.functions.values():
            # Coverage looks at each file of code when it meets it first, wherever that is.
            function.can_block_in("coverage/control.py", "_should_trace")
            # asyncpg looks for ~/.pgpass and certificates when it connects, which is once for many uploads.
            function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_arguments")
        # The size and times of a file that is being read from the page cache are in memory.
        found.functions["os.fstat"].can_block_in("wxasset/transfer/uploads/file_reader.py", "step")
        # So are those of a file whose path was in memory, too.
        found.functions["os.fstat"].can_block_in("wxasset/transfer/uploads/files.py", "_examine_cached")
        found.functions["os.fstat"].can_block_in("wxasset/transfer/uploads/files.py", "_check")
        yield found


if __name__ == "__main__":
    with unblocked():
        from wxasset.__main__ import main

        main()
