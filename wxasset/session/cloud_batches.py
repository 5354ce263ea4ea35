"""The verbs for many cloud files at once."""

from typing import TYPE_CHECKING, TypeVar

from wxasset.calls.base import Call
from wxasset.calls.fileids import MAX_AGE, FileIds
from wxasset.errors import PartialDeleteError, UsageError
from wxasset.session.cloud import CloudFiles

if TYPE_CHECKING:
    from wxasset.batch.outcomes import Failed
    from wxasset.batch.work import Work
    from wxasset.calls.cloud import DeletedFiles, DeleteReport, FoundFiles
    from wxasset.calls.file_urls import FileURL
    from wxasset.session.file_batch import FileBatch
    from wxasset.session.outcomes import Deleted

__all__ = ["CloudFileBatches"]

R = TypeVar("R")


class CloudFileBatches(CloudFiles):
    """Operations on many cloud files at once."""

    def delete_files(
        self,
        env: str,
        fileids: FileIds,
        *,
        concurrency: int = 4,
        max_rate: float | None = None,
        as_component: bool = False,
    ) -> "FileBatch[DeletedFiles, Deleted]":
        """Delete many cloud files, 50 to a request; each id has one outcome, as soon as it is known.

        ::

            async with wx.delete_files(env, ids) as outcomes:
                async for outcome in outcomes:
                    match outcome:
                        case Deleted(fileid): ...
                        case Failed(fileid, error) | NotTried(fileid, error): ...

            report = await wx.delete_files(env, ids).report()

        After a cancellation, or an exception of `fileids`, ``outcomes.rest()`` returns the outcomes that were not
        taken. The rest is as in `add_materials`.

        https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html

        Args:
            env: The cloud environment's id.
            fileids: As in `batch_delete_file`.
            concurrency: The most requests under way at once.
            max_rate: Most requests a minute, retries included; None without a limit.
            as_component: As in `batch_delete_file`.

        Yields:
            `Deleted`, `Failed` or `NotTried` for each id.
        """
        from wxasset.calls.cloud import BatchDeleteFile, ComponentBatchDeleteFile  # noqa: PLC0415 - most sessions have no cloud files
        from wxasset.session.file_batch import FileBatch, Questions  # noqa: PLC0415 - likewise

        kind = ComponentBatchDeleteFile if as_component else BatchDeleteFile
        questions = Questions(lambda ids: kind(env=env, fileid_list=ids), _deleted)
        terms = self._terms(kind.route.path, max_rate, tries=1)
        return FileBatch(questions, fileids, self._send, concurrency=concurrency, terms=terms)

    def link_files(
        self,
        env: str,
        fileids: FileIds,
        *,
        max_age: int = MAX_AGE,
        concurrency: int = 4,
        max_rate: float | None = None,
        as_component: bool = False,
    ) -> "FileBatch[FoundFiles, FileURL]":
        """Ask for links to many cloud files, 50 to a request; each id has one outcome, as soon as it is known.

        https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html

        Args:
            env: The cloud environment's id.
            fileids: As in `batch_delete_file`.
            max_age: Seconds until the links expire.
            concurrency: As in `delete_files`.
            max_rate: As in `delete_files`.
            as_component: As in `batch_delete_file`.

        Yields:
            `FileURL`, `Failed` or `NotTried` for each id.
        """
        from wxasset.batch.outcomes import Failed  # noqa: PLC0415 - as above
        from wxasset.calls.cloud import (  # noqa: PLC0415 - as above
            BatchDownloadFile,
            ComponentBatchDownloadFile,
            WantedFile,
        )
        from wxasset.calls.file_urls import links  # noqa: PLC0415 - as above
        from wxasset.session.file_batch import FileBatch, Questions  # noqa: PLC0415 - as above

        if type(max_age) is not int or max_age < 1:
            raise UsageError(f"max_age= is a number of seconds from 1; not {max_age!r}.")
        kind = ComponentBatchDownloadFile if as_component else BatchDownloadFile
        questions = Questions(
            lambda ids: kind(env=env, file_list=tuple(WantedFile(fileid=one, max_age=max_age) for one in ids)),
            lambda ids, answer: [
                one if one.url else Failed(one.fileid, one.reason()) for one in links(ids, answer, max_age)
            ],
        )
        terms = self._terms(kind.route.path, max_rate, tries=1)
        return FileBatch(questions, fileids, self._send, concurrency=concurrency, terms=terms)

    async def file_urls(
        self, env: str, fileids: FileIds, *, max_age: int = MAX_AGE, concurrency: int = 4, as_component: bool = False
    ) -> "tuple[FileURL, ...]":
        """Ask for links to cloud files, any number of them, 50 to a request.

        https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/cloudbase-common/file-management/getTcbDownloadLink.html

        Args:
            env: The cloud environment's id.
            fileids: As in `batch_delete_file`.
            max_age: Seconds that the links shall live.
            concurrency: The most requests under way at once.
            as_component: As in `batch_delete_file`.

        Returns:
            An outcome for each id, in the order in which they were asked for; one that has no link says why.

        Raises:
            WxAssetError: Not one request was answered; the error is that of the first.
        """
        from wxasset.calls.cloud_batches import Asking  # noqa: PLC0415 - as above
        from wxasset.calls.file_urls import links  # noqa: PLC0415 - as above

        asking: Asking[FoundFiles, tuple[FileURL, ...]] = Asking(lambda ids, answer: links(ids, answer, max_age))
        batch = self.link_files(env, fileids, max_age=max_age, concurrency=concurrency, as_component=as_component)
        async for part in batch.parts():
            asking.take(part.number, part.ids, part.result)
        return tuple(one for part in asking.outcomes() for one in part)

    async def batch_delete_file(
        self, env: str, fileids: FileIds, *, concurrency: int = 4, as_component: bool = False
    ) -> "DeleteReport":
        """Delete cloud files of a Mini Program, any number of them, 50 to a request.

        https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html

        Args:
            env: The cloud environment's id.
            fileids: Ids such as ``cloud://env.bucket/path``, from any iterable or async iterable, which is read no
                faster than the requests go; a repeated one is sent once. A plain iterator is pulled in a thread, and a
                generator is closed in the end. What it raises, or a token source of your own does, ends the call when
                the requests under way have ended.
            concurrency: The most requests under way at once.
            as_component: Call ``/componenttcb`` with the token of a third-party platform, for the environments that it
                shares with its accounts; the session's ``tokens=`` is then the platform's source.

        Returns:
            An outcome for each id; `DeleteReport.raise_for_failed` makes an error of failures.

        Raises:
            PartialDeleteError: `fileids` or a token source raised after files were deleted; its `report` has all ids
                that were read, and its cause is the exception. A cancellation has no report: see `delete_files`.
            WxAssetError: Not one request was answered; the error is that of the first.
        """
        from wxasset.calls.cloud import outcomes, report  # noqa: PLC0415 - as above
        from wxasset.calls.cloud_batches import Asking  # noqa: PLC0415 - as above

        asking: Asking[DeletedFiles, DeleteReport] = Asking(outcomes)
        batch = self.delete_files(env, fileids, concurrency=concurrency, as_component=as_component)
        try:
            async for part in batch.parts():
                asking.take(part.number, part.ids, part.result)
        except Exception as error:
            for part in batch.unfinished():
                asking.take(part.number, part.ids, part.result)
            done = report(asking.settled())
            if not done.deleted:
                raise
            message = f"Deleting cloud files broke off after {len(done.deleted)} of them, by {type(error).__name__}."
            raise PartialDeleteError(message, report=done) from error
        return report(asking.outcomes())

    async def _send(self, call: Call[R], work: "Work") -> R:
        return await self._observing(work).call(call)


def _deleted(ids: tuple[str, ...], answer: "DeletedFiles") -> "list[Deleted | Failed[str]]":
    """Return the outcome of every id of a request."""
    from wxasset.batch.outcomes import Failed  # noqa: PLC0415 - loaded with the batch
    from wxasset.calls.cloud import outcomes  # noqa: PLC0415 - as above
    from wxasset.session.outcomes import Deleted  # noqa: PLC0415 - as above

    failed = {one.fileid: one for one in outcomes(ids, answer).failed}
    return [Failed(one, failed[one].reason()) if one in failed else Deleted(one) for one in ids]
