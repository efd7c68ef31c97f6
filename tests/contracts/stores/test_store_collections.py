"""Collections and their aliases in every store."""

from __future__ import annotations

import pytest
from store_rows import DENSE, NAME, WORDS, agree, make_rows, oracle

from vidembed.errors import ConfigError, IndexMismatch, StoreError
from vidembed.protocols import Store
from vidembed.types import Space


def test_a_collection_of_another_shape_is_a_mismatch(store: Store) -> None:
    store.create(NAME, DENSE)
    store.create(NAME, DENSE)
    with pytest.raises(IndexMismatch, match="8 dimensions"):
        store.create(NAME, Space("toy", 9))
    with pytest.raises(IndexMismatch):
        store.create(NAME, WORDS)
    assert store.collections() == {NAME: DENSE}


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "ä", "x" * 200, "-x", "a\x00b", "a\n"])
def test_names_that_could_escape_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ConfigError):
        store.create(name, DENSE)


def test_unknown_collections(store: Store) -> None:
    store.create(NAME, DENSE)
    row = make_rows(1)[0]
    for call in (
        lambda: store.search("vison", row.vector, k=1),
        lambda: store.put("vison", [row]),
        lambda: store.rows("vison", [row.clip.clip_id]),
        lambda: list(store.scan("vison")),
        lambda: store.set_alias("vision", "vison"),
    ):
        with pytest.raises(StoreError, match="vison"):
            call()
    assert store.count("vison") == 0
    store.drop("vison")


def test_alias_switches_in_one_step_and_goes_with_its_collection(store: Store) -> None:
    old, new = make_rows(5), make_rows(7, seed=3)
    second = "vision.00000009"
    store.create(NAME, DENSE)
    store.create(second, DENSE)
    store.put(NAME, old)
    store.put(second, new)
    store.set_alias("vision", NAME)
    assert store.aliases() == {"vision": NAME}
    assert store.count("vision") == 5
    store.set_alias("vision", second)
    assert store.aliases() == {"vision": second}
    assert store.count("vision") == 7
    agree(store.search("vision", new[2].vector, k=3), oracle(new).search(NAME, new[2].vector, k=3))
    with pytest.raises(StoreError):
        store.set_alias(NAME, second)
    with pytest.raises(StoreError):
        store.create("vision", DENSE)
    store.drop(second)
    assert store.aliases() == {}
    assert store.count("vision") == 0
    assert store.collections() == {NAME: DENSE}
