"""The verbs of cloud storage."""

from collections.abc import Iterable
from typing import TypeVar

import anyio

from wxasset.calls.base import Call
from wxasset.calls.cloud import BatchDeleteFile, DeletedFiles, DeleteReport, batches, report, stops_all
from wxasset.errors import UsageError, WxAssetError
from wxasset.session.base import Session

__all__ = ["CloudFiles"]

R = TypeVar("R")


class CloudFiles(Session):
    """What can be done with the files of a Mini Program's cloud environments."""

    async def batch_delete_file(self, env: str, fileids: Iterable[str], *, concurrency: int = 4) -> DeleteReport:
        """Delete cloud files of a Mini Program, any number of them, 50 to a request.

        https://developers.weixin.qq.com/doc/oplatform/en/openApi/OpenApiDoc/cloudbase-common/file-management/deleteTcbCloudFile.html

        Args:
            env: The cloud environment's id.
            fileids: Ids such as ``cloud://env.bucket/path``; a repeated one is sent once.
            concurrency: The most requests under way at once.

        Returns:
            An outcome for each id; `DeleteReport.raise_for_failed` makes an error of failures.

        Raises:
            WxAssetError: Not one request was answered; the error is that of the first.
        """
        if concurrency < 1:
            raise UsageError(f"concurrency= is at least 1; not {concurrency!r}.")
        calls = [BatchDeleteFile(env=env, fileid_list=batch) for batch in batches(fileids)]
        answers: dict[int, DeletedFiles | WxAssetError] = {}
        todo = iter(enumerate(calls))

        async def work() -> None:
            for number, call in todo:
                stop = next(filter(stops_all, answers.values()), None)
                answers[number] = stop if stop is not None else await self._answer(call)

        async with anyio.create_task_group() as group:
            for _ in range(min(concurrency, len(calls))):
                group.start_soon(work)
        return report([(call.fileid_list, answers[number]) for number, call in enumerate(calls)])

    async def _answer(self, call: Call[R]) -> R | WxAssetError:
        try:
            return await self._engine.call(call)
        except WxAssetError as error:
            return error
