"""Scripts on screen are told apart; each is read by its own recogniser, or told as not read, never as other letters."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_recogniser
from hub_server import Hub
from PIL import Image

from vidembed.errors import ConfigError, WeightsMissing
from vidembed.models import registry
from vidembed.sources.ocr import OcrSource
from vidembed.sources.recognisers import likely_scripts, settled
from vidembed.sources.scripts import SCRIPTS, ScriptTeller
from vidembed.types import UnreadLine

pytest.importorskip("rapidocr", reason="needs the extra ocr")

PICTURES = Path(__file__).parents[2] / "data" / "scripts"  # two lines each, in fonts that no training line was drawn in
UNREAD = ("cyrillic", "greek", "arabic", "hebrew", "devanagari", "hangul", "thai")


def picture(script: str) -> np.ndarray:
    return np.asarray(Image.open(PICTURES / f"{script}.png").convert("RGB"))


@pytest.fixture
def served(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The recogniser of Cyrillic, as the hub serves it."""
    (tmp_path / "served").mkdir()
    file = tiny_recogniser.write(tmp_path / "served" / "rec.onnx")
    hub.add("some/models", tmp_path / "served", commit="1" * 40)
    known = registry.find("ocr-cyrillic", "ocr")
    made = replace(
        known,
        url=f"{hub.url}/some/models/resolve/{'1' * 40}/rec.onnx",
        files={"rec.onnx": hashlib.sha256(file.read_bytes()).hexdigest()},
    )
    monkeypatch.setitem(registry._registry(), ("ocr", known.name), made)
    return hub


def test_the_script_of_each_line_is_told() -> None:
    teller, right = ScriptTeller(), 0
    for script in (*UNREAD, "latin", "cjk"):
        whole = picture(script)
        shares = teller.shares([whole[55:115, 30:450], whole[165:225, 30:450]])
        right += sum(SCRIPTS[k] == script for k in shares.argmax(axis=1))
        assert shares.sum(axis=1) == pytest.approx([1, 1], abs=1e-4)
    assert right >= 16  # of 18
    assert teller.shares([]).shape == (0, len(SCRIPTS))


def test_capitals_that_look_the_same_are_of_the_script_of_the_others() -> None:
    rows = np.full((3, len(SCRIPTS)), 0.001, np.float32)
    latin, cyrillic = SCRIPTS.index("latin"), SCRIPTS.index("cyrillic")
    rows[0, [latin, cyrillic]] = 0.55, 0.44
    rows[1:, cyrillic] = 0.99
    assert [told[0] for told in likely_scripts(rows)] == ["cyrillic"] * 3
    assert likely_scripts(rows)[0][2] == pytest.approx(0.9, abs=0.02)
    assert likely_scripts(rows[:1])[0][:2] == ("", "cyrillic")  # alone it may be either: it is read as Latin
    assert likely_scripts(rows[:0]) == []


@pytest.mark.parametrize(
    ("script", "text", "confidence", "unread"),
    [
        ("", "Good morning", 0.8, ""),
        ("", "Kαλημρα κσμε", 0.9, "greek"),  # letters that the recogniser does not know in Latin lines
        ("cyrillic", "MOCKBA", 1.0, "cyrillic"),  # every letter has one that looks like it
        ("cyrillic", "GOOD DOGS", 0.99, ""),
        ("cyrillic", "GOOD DOGS", 0.9, "cyrillic"),
        ("arabic", "cgkall", 0.87, "arabic"),
        ("hangul", "Conference", 0.95, ""),
        ("thai", "2031-05", 0.97, ""),
        ("thai", "...", 0.97, "thai"),
    ],
)
def test_what_the_recogniser_is_sure_of_counts_against_the_look(
    script: str, text: str, confidence: float, unread: str
) -> None:
    assert settled(script, script or "greek", text, confidence) == unread


@pytest.mark.parametrize("script", UNREAD)
def test_what_no_recogniser_reads_is_told_and_never_words(script: str) -> None:
    lines = OcrSource(threads=1).read(picture(script))
    assert [(line.text, line.unread) for line in lines] == [("", script)] * 2


def test_latin_and_chinese_are_read_as_before() -> None:
    source = OcrSource(threads=1)
    assert [line.text for line in source.read(picture("latin"))] == ["Good morning, everyone", "Platform 7, 10:45"]
    assert [line.text for line in source.read(picture("cjk"))] == ["下一站是北京", "早上好朋友"]


def test_a_chosen_script_is_read_by_a_recogniser_that_is_fetched_when_it_is_needed(served: Hub) -> None:
    source = OcrSource(threads=1, scripts=["cyrillic"])
    assert [line.text for line in source.read(picture("latin"))] == ["Good morning, everyone", "Platform 7, 10:45"]
    assert served.names() == []
    lines = source.read(picture("cyrillic"))
    assert len(lines) == 2
    assert all(set(line.text) == set(tiny_recogniser.LETTERS) and not line.unread for line in lines)
    assert {line.unread for line in source.read(picture("greek"))} == {"greek"}
    assert served.names() == ["rec.onnx"]


def test_offline_the_recogniser_that_is_missing_is_named(served: Hub) -> None:
    with pytest.raises(WeightsMissing) as caught:
        OcrSource(threads=1, scripts=["cyrillic"], offline=True).read(picture("cyrillic"))
    assert "vidembed models download ocr-cyrillic" in caught.value.hint
    assert served.asked == []


def test_a_script_without_a_recogniser_is_refused() -> None:
    with pytest.raises(ConfigError, match="'hebrew'") as caught:
        OcrSource(scripts=["hebrew", "cyrillic"])
    assert "scripts: arabic, cyrillic, devanagari, greek, hangul, thai" in caught.value.hint
    assert OcrSource(scripts=["latin", "greek"]).producer != OcrSource().producer


def test_an_unread_line_says_so() -> None:
    from vidembed.types import Span

    assert str(UnreadLine(Span(0, 1), "cyrillic")) == "text in Cyrillic script, not read"
    assert str(UnreadLine(Span(0, 1), "other")) == "text in another script, not read"
