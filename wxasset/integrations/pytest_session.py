"""Session of the pytest plugin."""

from wxasset.engine.retry import RetryPolicy
from wxasset.engine.uploads import UploadPolicy
from wxasset.session import WxSession
from wxasset.simulator import Simulator
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["session_on"]


def session_on(simulator: Simulator) -> WxSession:
    """Make a session on a simulator: it retries without waiting, searches once for lost uploads, and follows links."""
    return WxSession(
        simulator.appid,
        simulator.secret,
        base_url=simulator.url,
        retry=RetryPolicy(wait_initial=0),
        downloads=DownloadPolicy(allow_private_hosts=True),
        uploads=UploadPolicy(visibility=0),
    )
