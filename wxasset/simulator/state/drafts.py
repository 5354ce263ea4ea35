"""Draft box and published articles of one account (wire reference 8.3)."""

from attrs import Factory, define, evolve, frozen

from wxasset.simulator.state.library import SharedMapping
from wxasset.simulator.wire.replies import Document

_FIRST_JOB = 100_000_001  # as in the official sample
PUBLISHING = 1
_DELETED = 5


@frozen(kw_only=True)
class Draft:
    """One draft.

    Attributes:
        media_id: The id, 64 characters.
        articles: The articles as in a response of draft/get.
        create_time: Time of creation, in unix seconds.
        update_time: Time of the last change, in unix seconds.
    """

    media_id: str
    articles: tuple[Document, ...]
    create_time: int
    update_time: int


@frozen(kw_only=True)
class Publication:
    """One job of freepublish/submit, and its articles.

    Attributes:
        publish_id: The id of the job.
        article_id: The id of the articles after a success.
        media_id: The id of the draft.
        articles: The articles as in a response of freepublish/getarticle.
        ends_at: Time of the end of the job, in unix seconds.
        outcome: Its publish_status at the end: 0, or 2, 3 or 4 for a failure.
        deleted: Numbers of the deleted articles, counted from 1.
    """

    publish_id: str
    article_id: str
    media_id: str
    articles: tuple[Document, ...]
    ends_at: float
    outcome: int
    deleted: frozenset[int] = frozenset()

    def status(self, now: float) -> int:
        """Return the publish_status at a time."""
        if now < self.ends_at:
            return PUBLISHING
        return _DELETED if self.outcome == 0 and len(self.deleted) == len(self.articles) else self.outcome


@define
class DraftBox:
    """Drafts by media_id and publications by publish_id, both oldest first.

    Attributes:
        drafts: The drafts.
        publications: The jobs, including failed ones.
        opened: The box was switched on by draft/switch.
    """

    drafts: SharedMapping[Draft] = Factory(SharedMapping)
    publications: SharedMapping[Publication] = Factory(SharedMapping)
    opened: bool = False
    _running: list[str] = Factory(list)

    def next_job(self) -> str:
        """Return the id of the next job."""
        return str(_FIRST_JOB + len(self.publications))

    def submit(self, job: Publication) -> None:
        """Start a job."""
        self.publications[job.publish_id] = job
        self._running.append(job.publish_id)

    def settle(self, now: float) -> None:
        """End the jobs whose time has come: the draft of a successful one leaves the box, as documented."""
        for publish_id in [name for name in self._running if now >= self.publications[name].ends_at]:
            self._running.remove(publish_id)
            if self.publications[publish_id].outcome == 0:
                self.drafts.pop(self.publications[publish_id].media_id, None)

    def published(self, now: float) -> list[Publication]:
        """Return the publications with articles left, newest first."""
        return [job for job in reversed(list(self.publications.values())) if job.status(now) == 0]

    def delete(self, job: Publication, numbers: frozenset[int]) -> None:
        """Delete published articles, numbered from 1."""
        self.publications[job.publish_id] = evolve(job, deleted=job.deleted | numbers)
