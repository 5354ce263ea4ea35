"""The uploaded file of a form, and never a text in its place."""

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

__all__ = ["upload"]


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
