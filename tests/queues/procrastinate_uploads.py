"""Uploads on Procrastinate: a web app takes images in, and workers on any number of hosts add them to the library.

PostgreSQL alone holds the jobs, the bytes and the ledger.
"""

import os
from datetime import UTC, datetime

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from wxasset import Later, Ledger, PostgresStore, WxSession

DATABASE = os.environ["DATABASE_URL"]
TABLE = """CREATE TABLE IF NOT EXISTS uploads
(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, filename text, content bytea, media_id text)"""

connector = PsycopgConnector(conninfo=DATABASE)
app = App(connector=connector)


class AgainAt(BaseRetryStrategy):
    """Try a job again at the time of `Later`, any number of times."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return the time of the next try; None if the job has failed."""
        del job
        return (
            RetryDecision(retry_at=datetime.fromtimestamp(exception.at, UTC)) if isinstance(exception, Later) else None
        )


@app.task(queue="wechat", retry=AgainAt(), pass_context=True)
async def add_image(context: JobContext, upload: int) -> None:
    """Add an image once, however often this job is delivered, and note its media_id."""
    wx: WxSession = context.additional_context["wx"]
    row = await connector.execute_query_one_async("SELECT filename, content FROM uploads WHERE id = %(id)s", id=upload)
    added = await wx.ensure_material("image", row["content"], filename=row["filename"], wait=False)
    await connector.execute_query_async(
        "UPDATE uploads SET media_id = %(media_id)s WHERE id = %(id)s", id=upload, media_id=added.media_id
    )


@app.periodic(cron="* * * * *")
@app.task(queue="wechat", queueing_lock="stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Deliver the jobs of workers that were killed again."""
    del context, timestamp
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.retry_job(job)


async def submit(content: bytes, filename: str) -> int:
    """Hand an image to the workers; called by the web app, inside `async with app.open_async()`."""
    row = await connector.execute_query_one_async(
        "INSERT INTO uploads (filename, content) VALUES (%(filename)s, %(content)s) RETURNING id",
        filename=filename,
        content=content,
    )
    upload: int = row["id"]
    await add_image.defer_async(upload=upload)
    return upload


async def work() -> None:
    """Run a worker: `python -c "import asyncio, procrastinate_uploads as app; asyncio.run(app.work())"`."""
    async with app.open_async(), Ledger(PostgresStore(DATABASE)) as ledger, WxSession.from_env(ledger=ledger) as wx:
        await app.run_worker_async(
            queues=["wechat"],
            concurrency=8,
            fetch_job_polling_interval=1,  # seconds; new jobs are announced, those for later are not
            additional_context={"wx": wx},
        )
