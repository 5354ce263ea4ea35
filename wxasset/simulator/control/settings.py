"""Health, options and accounts over HTTP."""

from collections.abc import Mapping

from attrs import field, frozen

from wxasset.simulator.control.routes import ControlRequest, Nothing, Reply
from wxasset.simulator.option_documents import changed, own_options, to_document

__all__ = ["AddAccount", "OfAccount", "add_account", "change_options", "list_accounts", "show_health", "show_options"]


@frozen(kw_only=True)
class OfAccount:
    """The account; by default the first one."""

    appid: str | None = None


@frozen(kw_only=True)
class AddAccount:
    """An account to add; without preset and options it shares the options of the first one."""

    appid: str | None = None
    secret: str | None = field(default=None, repr=False)
    preset: str | None = None
    options: dict[str, object] | None = None


def show_health(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Report that the server serves."""
    return {"status": "ok", "accounts": len(control.simulator.accounts)}


def show_options(control: ControlRequest, chosen: OfAccount) -> Reply:
    """Return all options of an account."""
    return to_document(control.account(chosen.appid).options)


def change_options(control: ControlRequest, document: Mapping[str, object]) -> Reply:
    """Change some options of an account, all or none, and return all of them."""
    account = control.account(control.http.query.get("appid"))
    with control.shared.lock:
        account.options = changed(account.options, document, running=True)
        return to_document(account.options)


def list_accounts(control: ControlRequest, _arguments: Nothing) -> Reply:
    """Return the accounts with their secrets."""
    return [{"appid": one.appid, "secret": one.secret} for one in list(control.simulator.accounts.values())]


def add_account(control: ControlRequest, new: AddAccount) -> Reply:
    """Add an account and return its credentials."""
    added = control.simulator.add_account(
        appid=new.appid, secret=new.secret, options=own_options(new.preset, new.options)
    )
    return {"appid": added.appid, "secret": added.secret}
