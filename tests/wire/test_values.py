"""Frozen classes compare, hash and print as those of attrs do."""

import copy
import pickle
from typing import Any

import pytest
from attrs import field, fields, frozen

from wxasset import AddedMaterial, Article, Video
from wxasset.wire.values import Value


@frozen
class Usual:
    """Methods by attrs."""

    name: str
    secret: str = field(default="", repr=False)
    shown: int = field(default=0, repr=hex)
    note: object = field(default=None, eq=False)


@frozen(eq=False, repr=False)
class Ours(Value):
    """Methods by `Value`."""

    name: str
    secret: str = field(default="", repr=False)
    shown: int = field(default=0, repr=hex)
    note: object = field(default=None, eq=False)


NAN = float("nan")
SAMPLES: list[tuple[Any, ...]] = [("a",), ("b",), ("a", "s"), ("a", "", 255), ("a", "", 0, []), (NAN,), (["a"],)]


@pytest.mark.parametrize("one", SAMPLES)
def test_a_value_is_printed_as_by_attrs(one: tuple[Any, ...]) -> None:
    """Hidden fields are left out, and a field's own repr is used."""
    assert repr(Ours(*one)) == repr(Usual(*one)).replace("Usual", "Ours")


@pytest.mark.parametrize("one", SAMPLES)
@pytest.mark.parametrize("other", SAMPLES)
def test_values_are_compared_as_by_attrs(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    """Equal fields make equal objects, but for those that take no part; equal objects have equal hashes."""
    assert (Ours(*one) == Ours(*other)) is (Usual(*one) == Usual(*other))
    assert (Ours(*one) != Ours(*other)) is (Usual(*one) != Usual(*other))
    if Ours(*one) == Ours(*other) and isinstance(one[0], str):
        assert hash(Ours(*one)) == hash(Ours(*other))


def test_a_value_equals_none_of_another_class() -> None:
    """A class with the same fields, also a subclass, makes other objects."""

    class Further(Ours):
        pass

    others: list[object] = [Usual("a"), Further("a"), ("a",), None]
    assert all(Ours("a") != other for other in others)
    assert len({Ours("a"), Ours("a"), Further("a")}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours("a", shown=[]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "result",
    [
        AddedMaterial(media_id="m", url="u", reconciled=True),
        Article(title="t", content="c"),
        Video(down_url="https://example.org/secret", title="t"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_results_are_values(result: Any) -> None:
    """A result can be copied and pickled, has the fields of attrs, is frozen, and shows no secret."""
    assert pickle.loads(pickle.dumps(result)) == result == copy.deepcopy(result)  # noqa: S301 - our own
    assert {one.name for one in fields(type(result))} == set(type(result).__slots__) - {"__weakref__"}
    assert "secret" not in repr(result)
    with pytest.raises(AttributeError):
        result.title = "x"
