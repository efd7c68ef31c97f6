"""MiniLM as it comes with pip: sentences by their meaning, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import threadpoolctl

from vidembed.errors import BadQuery, ConfigError
from vidembed.models.arrays import OneThread
from vidembed.models.encoders.minilm import SPACE, MiniLmEncoder
from vidembed.models.registry import load_encoder
from vidembed.types import Span, TextLine, TimedText


@pytest.fixture(scope="module")
def encoder() -> MiniLmEncoder:
    found = load_encoder("minilm", device="cpu")
    assert isinstance(found, MiniLmEncoder)
    return found


def test_what_is_said_is_found_by_other_words(encoder: MiniLmEncoder) -> None:
    said = ["if you are good at something never do it for free", "the train leaves at half past nine"]
    asked = ["do not work without pay", "when does our rail connection depart"]
    scores = encoder.encode("text", asked) @ encoder.encode("text", said).T
    assert scores.argmax(1).tolist() == [0, 1]


def test_rows_are_unit_and_do_not_depend_on_the_batch(encoder: MiniLmEncoder) -> None:
    texts = ["snow", "a longer sentence about the weather of tomorrow"]
    rows = encoder.encode("text", texts)
    assert rows.shape == (2, SPACE.dim)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(rows, np.concatenate([encoder.encode("text", [t]) for t in texts]), atol=1e-5)
    assert encoder.encode("text", []).shape == (0, SPACE.dim)


def test_numpy_keeps_to_one_thread_meanwhile_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two threads inside at once, the first to leave must not lift the limit, nor the last leave it set."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas")

    def threads() -> set[int]:
        return {library["num_threads"] for library in libraries.info()}

    limit = OneThread()
    with libraries.limit(limits=2):
        before = threads()
        limit.__enter__()
        with limit:
            inside = threads()
        still = threads()
        limit.__exit__(None, None, None)
        assert threads() == before
    assert inside == still == {1}


def test_timed_text_is_its_words(encoder: MiniLmEncoder) -> None:
    timed = TimedText((TextLine(Span(0, 1), "good"), TextLine(Span(1, 2), "morning")))
    assert np.allclose(encoder.encode("text", [timed]), encoder.encode("text", ["good  morning"]), atol=1e-6)


def test_wrong_items_and_settings_are_refused(encoder: MiniLmEncoder) -> None:
    with pytest.raises(BadQuery, match="non-empty"):
        encoder.encode("text", [" "])
    with pytest.raises(ValueError, match="understands text only"):
        encoder.encode("image", [np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(ConfigError, match="float32 only"):
        load_encoder("minilm", device="cpu", dtype="float16")
