"""Cloud storage: upload permits, and calls with a result per file (wire reference 3.1 to 3.5)."""

from collections.abc import Mapping

from wxasset.simulator.state.account import Account, env_of
from wxasset.simulator.state.upload_permits import address
from wxasset.simulator.wire.replies import ApiError, Document
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text, whole_number

_MOST_FILES = 50
_EXCEED_AUTHORITY = -503002


def permit_upload(account: Account, request: ApiRequest) -> Document:
    """POST /tcb/uploadfile: URL and credentials of an upload; the file exists after the upload."""
    document = json_body(request)
    env = _env(account, document)
    path = required_text(document, "path", missing=40101)
    if path.startswith("/") or path.endswith("/"):
        raise ApiError(account.options.errcode("cloud_path"))
    permit = account.upload_permits.issue(account.cloud_files, env, path)
    return {
        "errcode": 0,
        "errmsg": "ok",
        "url": address(account.links.origin, permit),
        "token": permit.token,
        "authorization": permit.authorization,
        "file_id": permit.file_id,
        "cos_file_id": permit.cos_file_id,
    }


def delete_files(account: Account, request: ApiRequest) -> Document:
    """POST /tcb/batchdeletefile."""
    env, files = _batch(account, request, "fileid_list")
    fileids = [file for file in files if isinstance(file, str)]
    if len(fileids) < len(files):
        raise ApiError(40097)
    outcomes: list[Document] = []
    for fileid in fileids:
        outcome = _outcome(account, env, fileid)
        if outcome["status"] == 0:
            del account.cloud_files[fileid]
        outcomes.append({account.options.deleted_file_key: fileid, **outcome})
    return {"errcode": 0, "errmsg": "ok", "delete_list": outcomes}


def file_links(account: Account, request: ApiRequest) -> Document:
    """POST /tcb/batchdownloadfile: links to this simulator, valid for `max_age` seconds."""
    env, files = _batch(account, request, "file_list")
    return {"errcode": 0, "errmsg": "ok", "file_list": [_link(account, env, file) for file in files]}


def _batch(account: Account, request: ApiRequest, name: str) -> tuple[str, list[object]]:
    """Return the environment and the list of a batch call.

    Raises:
        ApiError: 40101 for a missing parameter, 40097 for an invalid or empty list, `too_many_cloud_files` for more
            than 50 files, and the codes of the environment.
    """
    document = json_body(request)
    env = _env(account, document)
    if name not in document:
        raise ApiError(40101)
    files = document[name]
    if not isinstance(files, list) or not files:
        raise ApiError(40097)
    if len(files) > _MOST_FILES:
        raise ApiError(account.options.errcode("too_many_cloud_files"))
    return env, files


def _env(account: Account, document: Mapping[str, object]) -> str:
    """Return the environment of a call. Chosen: the state of the cloud is checked after the parameter.

    Raises:
        ApiError: 40101 without one, 85088 if the cloud is switched off, `cloud_failure`, and `unknown_env`.
    """
    env, options = required_text(document, "env", missing=40101), account.options
    if not options.cloud_open:
        raise ApiError(85088)
    if options.cloud_failure is not None:
        raise ApiError(options.cloud_failure)
    if options.cloud_envs is not None and env not in options.cloud_envs:
        raise ApiError(options.errcode("unknown_env"))
    return env


def _link(account: Account, env: str, file: object) -> Document:
    if not isinstance(file, dict):
        raise ApiError(40097)
    fileid = required_text(file, "fileid", missing=40101)
    max_age = whole_number(file, "max_age")
    if max_age < 1:
        raise ApiError(40097)
    outcome = _outcome(account, env, fileid)
    link = "" if outcome["status"] else account.links.cloud_file(account.cloud_files, fileid, max_age)
    return {"fileid": fileid, "download_url": link, **outcome}


def _outcome(account: Account, env: str, fileid: str) -> dict[str, object]:
    """Return the result for one file; the errcode of the whole call stays 0 on failure."""
    if env_of(fileid) not in (None, env):
        return {"status": _EXCEED_AUTHORITY, "errmsg": "STORAGE_EXCEED_AUTHORITY"}
    if fileid not in account.cloud_files:
        return {"status": account.options.missing_file_status, "errmsg": "STORAGE_FILE_NONEXIST"}
    return {"status": 0, "errmsg": "ok"}
