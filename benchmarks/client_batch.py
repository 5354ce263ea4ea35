"""wxasset with a batch: one call of `add_materials` for all items of a job."""

from client_wxasset import Client
from jobs import Job


class BatchClient(Client):
    """Upload all items of a job with `add_materials`."""

    async def run(self) -> list[str]:
        """Do the job and return the errors, one string per failed item."""
        job = self.job
        async with self.session() as wx:
            batch = wx.add_materials("image", [job.source] * job.count, concurrency=job.concurrency)
            report = await batch.report()
        errors = [each.error for each in report.failed] + [each.error for each in report.left]
        return [str(error) for error in (*errors, *(each.error for each in report.unknown))]


def make(name: str, job: Job) -> BatchClient:
    """Create the client."""
    del name
    return BatchClient(job)
