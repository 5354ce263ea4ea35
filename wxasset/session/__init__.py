"""`WxSession`: one short method for each thing that can be done with an account's media."""

from wxasset.calls.base import ListedType, MediaType
from wxasset.session.batches import Bulk
from wxasset.session.cloud_trees import CloudTrees
from wxasset.session.media import TemporaryFiles
from wxasset.session.platform import Authorizers

__all__ = ["ListedType", "MediaType", "WxSession"]


class WxSession(Bulk, TemporaryFiles, CloudTrees, Authorizers):
    """The media of one account, and the one access token that all its calls share.

    ::

        async with WxSession(appid, secret) as wx:
            added = await wx.add_material("image", "poster.png")

    Nothing is opened or fetched before the first call; end it with ``async with`` or `aclose`. It serves one event
    loop after the other, and any number of its tasks at once.

    Args:
        appid: The account's appid; with `secret`, the stable token is used. Beside `tokens` it does no more than
            name the account to a ledger.
        secret: The account's AppSecret.
        tokens: A source of tokens instead, or a `TokenCache` to share with other sessions of the account.
        store: Where tokens are shared with other processes or hosts; it is borrowed, and not closed here.
        http: An `aiohttp.ClientSession` to borrow, with its proxy, resolver and certificates, for the API and for
            links; it is never closed here, and serves one event loop.
        proxy: An HTTP proxy, such as ``http://user:password@host:3128``, for the API and for links; None for none.
            By default the environment decides (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY); an API host without
            https is then connected directly. Behind a proxy links are checked by host name alone.
        base_url: The API host. Plain http is for loopback, private addresses and bare host names, and with
            `NoToken` and `CloudHostingToken` for WeChat's own host.
        retry: How often, and how patiently, calls are tried.
        timeouts: How long to wait.
        limits: Limits for sending and reading.
        downloads: The policy for following URLs from the server.
        uploads: The policy for uploads after a lost response.
        ledger: The ledger for ensured materials and for materials added in batches; it is borrowed,
            and not closed here.
        budget: The calls that the account may make today, where several programs share them; it is borrowed, and
            not closed here.
        hooks: Callbacks for operations, attempts, retries, token fetches and progress.
        from_appid: In WeChat cloud hosting, the account that is called where several share the environment
            (资源复用), with `NoToken` or `CloudHostingToken`. Without it the owner of the environment is called.

    Raises:
        UsageError: The credentials are missing, or `base_url` is not usable.
    """
