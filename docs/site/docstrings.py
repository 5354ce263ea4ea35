"""Show the code of docstrings without the colons that announce it there."""

import re
from typing import Final

import griffe

ANNOUNCED: Final = re.compile(r"^::\n|(?<=\w):(?=:$)", re.MULTILINE)


class Announced(griffe.Extension):
    """Take ``::`` from a line of its own, and one colon from the end of a sentence."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Change the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = ANNOUNCED.sub("", obj.docstring.value)
