"""Accounts, tokens, authorizations and the clock of a simulator as one JSON document."""

from collections.abc import Mapping
from typing import Any

from attrs import asdict

from wxasset.simulator.option_documents import changed, to_document
from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state.platform import Authorization
from wxasset.simulator.state.quotas import QuotaCounts
from wxasset.simulator.state.service import Service
from wxasset.simulator.state.tokens import IssuedToken, TokenPool

__all__ = ["describe", "describe_quotas", "own_options_of", "restore"]


def describe(service: Service) -> dict[str, object]:
    """Return the document; authorization codes and links are not in it."""
    shared = service.first.switches
    return {
        "accounts": [
            {
                "appid": one.appid,
                "secret": one.secret,
                "options": None if one.switches is shared else to_document(one.options),
                "plain": one.tokens.plain_pool.numbers,
                "stable": one.tokens.stable_pool.numbers,
            }
            for one in service.accounts.values()
        ],
        "tokens": [asdict(token) for token in service.registry.issued],
        "component": service.platform.tokens.numbers,
        "tickets": service.platform.tickets,
        "authorizations": [_authorization(one) for one in service.platform.authorizations.values()],
        "clock": service.clock.added,
    }


def describe_quotas(service: Service) -> dict[str, object]:
    """Return the counts of calls, which change with each request: they are written beside other changes."""
    return {"quotas": {name: counts.kept() for name, counts in _quotas(service).items()}}


def _quotas(service: Service) -> dict[str, QuotaCounts]:
    """Return the counts by the appid of their account; those of the platform have an empty name."""
    return {"": service.platform.quotas} | {appid: account.quotas for appid, account in service.accounts.items()}


def own_options_of(account: Mapping[str, Any]) -> SimulatorOptions | None:
    """Return the options of an account in the document; None if it shares those of the simulator.

    Options that this release does not know any longer are left out.
    """
    given = account["options"]
    known = to_document(SimulatorOptions())
    if given is None:
        return None
    return changed(SimulatorOptions(), {k: v for k, v in given.items() if k in known}, kept=True)


def restore(service: Service, document: Mapping[str, Any]) -> None:
    """Restore the state of a service with these accounts, apart from their content."""
    service.clock.added = document["clock"]
    service.registry.issued = [IssuedToken(**token) for token in document["tokens"]]
    for one in document["accounts"]:
        tokens = service.accounts[one["appid"]].tokens
        tokens.plain_pool.numbers, tokens.stable_pool.numbers = one["plain"], one["stable"]
    quotas = _quotas(service)
    for name, counts in document.get("quotas", {}).items():  # a directory of an earlier release has none
        quotas[name].restore(counts)
    platform = service.platform
    platform.tokens.numbers = document["component"]
    platform.tickets = document["tickets"]
    for one in document["authorizations"]:
        pool = TokenPool(service.registry, "authorizer", one["appid"])
        pool.numbers = one["tokens"]
        sets = one["permission_sets"]
        platform.restore(
            Authorization(
                appid=one["appid"],
                permission_sets=None if sets is None else frozenset(sets),
                authorized_at=one["authorized_at"],
                refresh_token=one["refresh_token"],
                tokens=pool,
                earlier=one["earlier"],
            )
        )


def _authorization(one: Authorization) -> dict[str, object]:
    return {
        "appid": one.appid,
        "permission_sets": None if one.permission_sets is None else sorted(one.permission_sets),
        "authorized_at": one.authorized_at,
        "refresh_token": one.refresh_token,
        "tokens": one.tokens.numbers,
        "earlier": one.earlier,
    }
