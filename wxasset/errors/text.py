"""Make text from outside fit for one line of a terminal or a log."""

__all__ = ["printable"]


def printable(text: str) -> str:
    """Replace line ends, escapes, controls of writing direction and other unprintable characters by spaces."""
    return text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
