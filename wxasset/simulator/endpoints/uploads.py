"""Parts shared by the upload endpoints, and download headers."""

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state import formats
from wxasset.simulator.wire.multipart import Form, Leniency, boundary_in, boundary_of, parse
from wxasset.simulator.wire.replies import ApiError
from wxasset.simulator.wire.requests import ApiRequest


def read_form(request: ApiRequest, options: SimulatorOptions) -> Form:
    """Return the form of an upload.

    Raises:
        ApiError: 47001 if the body is not well-formed multipart/form-data, 41005 for a quoted boundary or a last one
            without a line end, if these are not accepted.
    """
    boundary = boundary_of(request.content_type, accept_quoted=options.accept_quoted_boundary)
    leniency = Leniency(
        preamble=options.accept_preamble,
        unquoted_names=options.accept_unquoted_names,
        attachment=options.accept_attachment,
        bare_end=options.accept_bare_end,
    )
    return parse(request.body, boundary or boundary_in(request.body), leniency)


def upload_type(request: ApiRequest, form: Form, missing: int = 40004) -> str:
    """Return the type of an upload, from the query or else from a form field (wire reference 2.1).

    Raises:
        ApiError: `missing` for a missing type, 40004 for an unknown one.
    """
    media_type = request.query.get("type") or form.text("type") or ""
    if not media_type:
        raise ApiError(missing)
    if media_type not in formats.PERMANENT:
        raise ApiError(40004)
    return media_type


def attachment(filename: str) -> str:
    """Return the value of a Content-disposition with a filename in raw UTF-8 (wire reference 4.7).

    Invalid UTF-8 and control characters are replaced; they are not allowed in a header.
    """
    readable = filename.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name = "".join(character if character.isprintable() else "_" for character in readable)
    return f'attachment; filename="{name}"'
