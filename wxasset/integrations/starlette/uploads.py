"""The uploaded file of a form, and never a text in its place."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

__all__ = ["upload", "uploaded"]


def upload(form: FormData, name: str) -> UploadFile:
    """Return the one file that a form has under a name, or answer 422.

    Starlette gives a text field as a string, and a string is a path for `WxSession.add_material`: a visitor could
    name a file of the server. Pass form fields through this function only.

    ::

        async with request.form() as form:
            added = await wx.add_material("image", upload(form, "file"))

    Args:
        form: The form of a request, ``await request.form()``.
        name: Name of the field.

    Raises:
        HTTPException: 422: the field is missing, is a text, has no file chosen, or has several files.
    """
    values = form.getlist(name)
    files = [one for one in values if isinstance(one, UploadFile)]
    if len(values) > 1:
        raise HTTPException(422, f"Send one file in the form field {name!r}, not {len(values)}.")
    if not files or not (files[0].filename or files[0].size):  # browsers send an empty part if no file was chosen
        raise HTTPException(422, f"Send a file in the form field {name!r}.")
    return files[0]


def uploaded(name: str) -> Callable[..., Awaitable[UploadFile]]:
    """Make a FastAPI dependency for the one file of a form field, documented in OpenAPI.

    A parameter of the type `UploadFile` takes the last of several files, and the others are lost without an error::

        @app.post("/posters")
        async def add(wx: Wx, file: Annotated[UploadFile, Depends(uploaded("file"))]) -> str: ...

    Args:
        name: Name of the field.

    Returns:
        The dependency; it answers 422 as `upload` does.

    Raises:
        ImportError: FastAPI is not installed.
    """
    try:
        import fastapi  # noqa: PLC0415 - applications of Starlette do without it
    except ImportError:
        raise ImportError(
            "uploaded() is for FastAPI; run: pip install fastapi. With Starlette alone, call upload(form, name)."
        ) from None

    async def one_file(
        request: Request, declared: Annotated[fastapi.UploadFile, fastapi.File(alias=name)]
    ) -> UploadFile:
        del declared  # it is for OpenAPI
        return upload(await request.form(), name)  # FastAPI has read the form, and closes it

    return one_file
