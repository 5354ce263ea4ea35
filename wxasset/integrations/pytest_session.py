"""Session of the pytest plugin."""

from wxasset.engine.retry import RetryPolicy
from wxasset.engine.uploads import UploadPolicy
from wxasset.session import WxSession
from wxasset.simulator import Simulator
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.sources import StableToken
from wxasset.wire.url_policy import DownloadPolicy

__all__ = ["session_on"]


def session_on(simulator: Simulator) -> WxSession:
    """Make a session on a simulator: it retries without waiting, searches once for lost uploads, and follows links.

    Its token has the simulator's clock.
    """
    source = StableToken(simulator.appid, simulator.secret, now=simulator.now)
    return WxSession(
        tokens=TokenCache(source, now=simulator.now, clock=simulator.now),
        base_url=simulator.url,
        retry=RetryPolicy(wait_initial=0),
        downloads=DownloadPolicy(allow_private_hosts=True),
        uploads=UploadPolicy(visibility=0),
    )
