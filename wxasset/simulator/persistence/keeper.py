"""Keep the state of a simulator in a directory: load it once, then write the changes of each request in a thread."""

import json
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.persistence.directory import Row, StateDirectory, StateDirectoryError, json_of
from wxasset.simulator.persistence.encoding import decode, encode
from wxasset.simulator.persistence.service_records import describe, describe_quotas, own_options_of, restore
from wxasset.simulator.persistence.shelves import changes, shelves
from wxasset.simulator.state.service import Service

__all__ = ["Keeper"]

_SERVICE: Final = "service"
_DONE: Final[Future[None]] = Future()
_DONE.set_result(None)


@frozen
class _Change:
    """One value to write; `removed` removes it. A value is encoded in the writing thread unless it is text already."""

    account: str
    store: str
    key: str
    value: object
    removed: bool = False
    encoded: bool = False


class Keeper:
    """The directory of one simulator.

    Attributes:
        document: Accounts, tokens and clock of an earlier run; None for a new directory.
        seed: The seed of the first run; None for a new directory.
        start: Number of earlier runs.
    """

    def __init__(self, path: Path) -> None:
        """Open the directory and read it.

        Raises:
            StateDirectoryError: It is in use, damaged, has another version or other files, or cannot be used.
        """
        self._directory = StateDirectory(path)
        self._path = path
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="wxasset-simulator-state")
        self._lock = threading.Lock()
        self._before: dict[tuple[str, str], Mapping[str, object]] = {}
        self._failed = False
        self._numbers: dict[str, int] = {}
        try:
            rows = self._directory.rows()
            own = [json.loads(row.value or "") for row in rows if row.store == _SERVICE]
            self._rows = [row for row in rows if row.store != _SERVICE]
            self.document: dict[str, Any] | None = own[0] if own else None
            self.seed: int | None = own[0]["seed"] if own else None
            self.start: int = own[0]["start"] if own else 0
        except (KeyError, TypeError, ValueError) as error:
            self.close()
            known = isinstance(error, StateDirectoryError)
            raise error if known else StateDirectoryError(f"the state in {path} is damaged: {error}") from None
        except BaseException:
            self.close()
            raise

    def accounts(
        self, appid: str | None, secret: str | None
    ) -> list[tuple[str | None, str | None, SimulatorOptions | None]]:
        """Return the credentials and options of the accounts of an earlier run; of a new directory those given.

        Raises:
            StateDirectoryError: The first account has another appid than the one given.
        """
        if self.document is None:
            return [(appid, secret, None)]
        found = [(one["appid"], one["secret"], own_options_of(one)) for one in self.document["accounts"]]
        first = found[0][0]
        if appid not in (None, first):
            text = f"the state directory {self._path} belongs to {first}, not to {appid}"
            raise StateDirectoryError(f"{text}; use that appid, or another directory")
        return [(first, secret or found[0][1], None), *found[1:]]

    def attach(self, service: Service, seed: int) -> None:
        """Load the content of the accounts, which exist already, and count this run.

        Raises:
            StateDirectoryError: The directory is damaged, or cannot be written.
        """
        try:
            used: set[str] = set()
            if self.document is not None:
                restore(service, self.document)
            self._load(service, used)
            self._directory.sweep(used)
            for appid, account in service.accounts.items():
                for shelf in shelves(account):
                    items = shelf.items()
                    self._before[appid, shelf.name] = (
                        {key: json_of(encode(one, self._directory.keep)) for key, one in items.items()}
                        if shelf.whole
                        else items
                    )
            self._numbers = {"seed": seed, "start": self.start + 1}
            self.save(service).result()
        except (KeyError, TypeError, ValueError, OSError) as error:
            known = isinstance(error, StateDirectoryError | OSError)
            reason = str(error) if known else f"the state in {self._path} is damaged: {error}"
            raise StateDirectoryError(reason) from None

    def save(self, service: Service, *, last: bool = False) -> "Future[None]":
        """Write what has changed since the last time; the result comes when it is written.

        Call it with the lock of the simulator, which no other thread then changes.

        Args:
            service: The accounts and the platform.
            last: Counts of calls are written also without another change.
        """
        with self._lock:
            replace, self._failed = self._failed, False
            if replace:
                self._before.clear()
            changed = list(self._changed(service, last=last))
            if not changed and not replace:
                return _DONE
            return self._writer.submit(self._write, changed, replace=replace)

    def close(self) -> None:
        """Wait for the writes, and let another simulator use the directory."""
        self._writer.shutdown()
        self._directory.close()

    def _load(self, service: Service, used: set[str]) -> None:
        found = {(appid, one.name): one for appid, account in service.accounts.items() for one in shelves(account)}

        def load(name: str) -> bytes | memoryview:
            used.add(name)
            return self._directory.load(name)

        for row in self._rows:
            shelf = found.get((row.account, row.store))
            if shelf is not None:
                shelf.put(json.loads(row.key), decode(json.loads(row.value or ""), load))
        self._rows = []

    def _changed(self, service: Service, *, last: bool) -> Iterable[_Change]:
        for appid, account in service.accounts.items():
            for shelf in shelves(account):
                where = appid, shelf.name
                if shelf.whole:
                    now: Mapping[str, object] = {
                        key: json_of(encode(one, self._directory.keep)) for key, one in shelf.items().items()
                    }
                    same = now == self._before.get(where)
                else:
                    now, same = shelf.items(), False
                if not same:
                    for key, value, removed in changes(self._before.get(where, {}), now):
                        yield _Change(appid, shelf.name, key, value, removed, shelf.whole)
                self._before[where] = now
        document = self._numbers | describe(service)
        state = json_of(document)
        if last or self._before.get(("", _SERVICE)) != {"state": state}:
            self._before["", _SERVICE] = {"state": state}
            yield _Change("", _SERVICE, "state", json_of(document | describe_quotas(service)), encoded=True)

    def _write(self, changed: Iterable[_Change], *, replace: bool) -> None:
        try:
            self._directory.write([self._row(one) for one in changed], replace=replace)
        except BaseException:
            with self._lock:
                self._failed = True  # the next time everything is written
            raise

    def _row(self, one: _Change) -> Row:
        value = None
        if not one.removed:
            value = str(one.value) if one.encoded else json_of(encode(one.value, self._directory.keep))
        return Row(one.account, one.store, json_of(one.key), value)
