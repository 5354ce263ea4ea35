"""Log of the web server: a malformed request or a lost connection is no defect, and gets no traceback."""

import logging
import sys
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger

__all__ = ["SERVER_LOG"]


class _ServerLog(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's logger, with mistakes of clients at level DEBUG in one line."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **options: Any) -> None:
        """Log an error; with its traceback unless a client caused it."""
        error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
        if isinstance(error, HttpProcessingError | ConnectionError):
            self.debug("A client sent a malformed request or disconnected: %s", type(error).__name__)
        else:
            super().exception(msg, *args, exc_info=exc_info, **options)


SERVER_LOG: _ServerLog = _ServerLog(server_logger, {})
"""For the web server of a simulator."""
