"""The parts of an account that are kept: each is a mapping of its own, or one value."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from itertools import islice
from operator import is_

import attrs
from attrs import frozen

from wxasset.simulator.persistence.encoding import is_encodable
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.objects import CloudFiles

__all__ = ["Shelf", "changes", "shelves"]

# Common to all accounts, or kept with the accounts themselves.
_ELSEWHERE = frozenset(
    {"appid", "secret", "switches", "clock", "identifiers", "tokens", "links", "request_ids", "upload_permits"}
    | {"platform", "directory"}
)


@frozen
class Shelf:
    """One part of an account.

    Attributes:
        name: Its name in the account.
        items: Returns its items at this moment.
        put: Stores an item.
        whole: It is one value that may change in place, under the key "".
    """

    name: str
    items: Callable[[], Mapping[str, object]]
    put: Callable[[str, object], object]
    whole: bool = False


def shelves(account: Account) -> Iterator[Shelf]:
    """Yield the parts of an account, also those of attributes added later."""
    for field in attrs.fields(Account):
        if field.name not in _ELSEWHERE:
            yield from _shelves_of(account, field.name, field.name)


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> Iterator[tuple[str, object, bool]]:
    """Yield the keys that differ with their new values, and whether they are removed; values are compared by identity.

    Items are mostly added at the end: the common beginning is compared at the speed of C.
    """
    count = len(before)
    if len(now) >= count and all(map(is_, before.values(), now.values())) and all(map(is_, before, now)):
        yield from ((key, value, False) for key, value in islice(now.items(), count, None))
        return
    missing = object()
    yield from ((key, None, True) for key in before if key not in now)
    yield from ((key, value, False) for key, value in now.items() if before.get(key, missing) is not value)


def _shelves_of(owner: object, attribute: str, name: str) -> Iterator[Shelf]:
    value = getattr(owner, attribute)
    if isinstance(value, CloudFiles):
        yield Shelf(name, partial(_stored, value), value.put)  # type: ignore[arg-type]
    elif isinstance(value, MutableMapping):
        yield Shelf(name, getattr(value, "copy", partial(dict, value)), value.__setitem__)  # faster than item by item
    elif attrs.has(type(value)) and not attrs.inspect(type(value)).is_frozen:
        for field in attrs.fields(type(value)):
            yield from _shelves_of(value, field.name, f"{name}.{field.name}")
    elif is_encodable(value):
        yield Shelf(
            name,
            lambda: {"": getattr(owner, attribute)},
            lambda _key, new: setattr(owner, attribute, new),
            whole=True,
        )


def _stored(files: CloudFiles) -> dict[str, object]:
    return {name: files.find(name) for name in list(files)}
