"""The options that a session passes to its engine."""

from typing import Any

from attrs import asdict, fields, frozen

from wxasset.engine.retry import RetryPolicy
from wxasset.engine.uploads import UploadPolicy
from wxasset.errors import UsageError
from wxasset.instrumentation.hooks import Hooks
from wxasset.transfer.http import Timeouts
from wxasset.wire.limits import Limits
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["Options"]


@frozen
class Options:
    """Options of a session; their types are checked here, before any upload begins."""

    retry: RetryPolicy
    timeouts: Timeouts
    limits: Limits
    downloads: DownloadPolicy
    uploads: UploadPolicy
    hooks: Hooks

    def __attrs_post_init__(self) -> None:
        """Check the types.

        Raises:
            UsageError: An option has another type.
        """
        for option in fields(Options):
            value, kind = getattr(self, option.name), option.type
            if kind is not None and not isinstance(value, kind):
                raise UsageError(f"{option.name}= is a {kind.__name__}; not {type(value).__name__}.")

    @property
    def named(self) -> dict[str, Any]:
        """The options by name."""
        return asdict(self, recurse=False)
