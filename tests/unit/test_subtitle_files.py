"""Subtitle files of every form that people have: no cue is lost, and each stands where players show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidembed.errors import InputError
from vidembed.media.subtitles import beside, decode, described, language_code, parse, plain, read
from vidembed.sources._subtitles import choose, spoken
from vidembed.types import Span, SubtitleKind, SubtitleTrack, TextLine


def cues(text: str) -> list[tuple[float, float, str]]:
    return [(line.span.start_s, line.span.end_s, line.text) for line in parse(text)[0]]


def track(
    *texts: str, kind: SubtitleKind = "full", language: str | None = "en", default: bool = False
) -> SubtitleTrack:
    lines = tuple(TextLine(Span(number, number + 1), text) for number, text in enumerate(texts))
    return SubtitleTrack(lines, f"{language} {kind}", language, kind, default)


class TestSubRip:
    def test_markup_entities_and_lines(self) -> None:
        text = "1\n00:00:01,000 --> 00:00:02,500\n<i>Fish</i> &amp; {\\an8}chips\nfor two\n"
        assert cues(text) == [(1.0, 2.5, "Fish & chips for two")]

    @pytest.mark.parametrize(
        ("time", "start_s"),
        [
            ("00:00:01,5", 1.005), ("00:00:01", 1.0), ("0:00:01.250", 1.25), ("100:00:00,000", 360_000.0),
            ("01:02,003", 62.003),
        ],
    )  # fmt: skip
    def test_times_that_players_accept(self, time: str, start_s: float) -> None:
        assert cues(f"1\n{time} --> 200:00:00,000\nx\n")[0][0] == pytest.approx(start_s)

    def test_no_empty_line_between_cues(self) -> None:
        text = "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n"
        assert cues(text) == [(1, 2, "one"), (3, 4, "two")]

    def test_a_number_that_is_text_stays(self) -> None:
        text = (
            "7\n00:00:01,000 --> 00:00:02,000\nHow old?\n\n8\n00:00:03,000 --> 00:00:04,000\n42\n\n"
            "9\n00:00:05,000 --> 00:00:06,000\nReally?\n"
        )
        assert [said for _, _, said in cues(text)] == ["How old?", "42", "Really?"]

    def test_empty_lines_inside_a_cue_and_without_numbers(self) -> None:
        text = "00:00:01,000 --> 00:00:02,000\none\n\nmore\n\n00:00:03,000 --> 00:00:04,000\ntwo\n"
        assert [said for _, _, said in cues(text)] == ["one more", "two"]

    def test_a_cue_that_ends_before_it_begins_is_kept_and_counted(self) -> None:
        lines, broken = parse("1\n00:00:05,000 --> 00:00:04,000\nx\n\n2\n00:00:06,000 --> 00:00:07,000\ny\n")
        assert [line.span for line in lines] == [Span(5.0, 5.01), Span(6, 7)]
        assert broken == 1

    def test_many_cues_in_any_order_are_all_there(self) -> None:
        count = 100_000
        times = [f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},000" for n in range(count)]
        rows = [f"{n}\n{time} --> 99:00:00,000\nline {n}\n" for n, time in enumerate(times)]
        assert [said for _, _, said in cues("\n".join(reversed(rows)))] == [f"line {n}" for n in range(count)]

    def test_cues_that_overlap_are_both_there(self) -> None:
        text = "1\n00:00:01,000 --> 00:00:05,000\nlong\n\n2\n00:00:02,000 --> 00:00:03,000\nshort\n"
        assert cues(text) == [(1, 5, "long"), (2, 3, "short")]

    def test_line_ends_of_all_systems(self) -> None:
        text = "1\n00:00:01,000 --> 00:00:02,000\none\n\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n"
        for end in ("\r\n", "\r"):
            assert cues(text.replace("\n", end)) == cues(text)


class TestWebVtt:
    def test_notes_styles_identifiers_and_settings(self) -> None:
        text = (
            "WEBVTT - a talk\n\nSTYLE\n::cue { color: red }\n\nNOTE not shown\n00:00:00.000 --> 00:00:01.000\nno\n\n"
            "intro\n00:01.000 --> 00:02.000 align:start position:0%\n<v Ann>Hi</v> <c.loud>there</c><00:01.500> you\n\n"
            "00:00:03.000 --> 00:00:04.000\nI &lt;3 you\n\nafter a gap, no cue\n"
        )
        assert cues(text) == [(1, 2, "Hi there you"), (3, 4, "I <3 you")]

    def test_a_note_of_twenty_thousand_lines_is_no_cue_and_takes_one_look(self) -> None:
        inside = "00:00:01.000 --> 00:00:02.000\n" * 20_000
        assert cues(f"WEBVTT\n\nNOTE\n{inside}\n00:00:03.000 --> 00:00:04.000\nyes\n") == [(3, 4, "yes")]


class TestAss:
    def test_dialogue_by_its_format_line(self) -> None:
        text = (
            "[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
            "Comment: 0,0:00:00.00,0:00:09.00,Default,not shown\n"
            "Dialogue: 0,0:00:01.50,0:00:02.00,Default,{\\i1}Well{\\i0}, yes\\Nand no\n"
            "Dialogue: 0,0:00:03.00,0:00:04.00,Default,{\\p1}m 0 0 l 10 10{\\p0}\n"
        )
        assert cues(text) == [(1.5, 2.0, "Well, yes and no")]


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_unicode_shows_itself(self, encoding: str) -> None:
        text = "1\n00:00:01,000 --> 00:00:02,000\nGrüße, мир\n"
        assert decode(text.encode(encoding)).lstrip("\ufeff") == text

    @pytest.mark.parametrize(
        ("language", "encoding", "text"),
        [
            ("ru", "cp1251", "Доброе утро"), ("el", "cp1253", "Καλημέρα"), ("pl", "cp1250", "Dzień dobry"),
            ("ja", "cp932", "おはよう"),
        ],
    )  # fmt: skip
    def test_the_language_names_the_code_page(self, language: str, encoding: str, text: str) -> None:
        assert decode(text.encode(encoding), language) == text

    @pytest.mark.parametrize(
        ("encoding", "said"),
        [
            ("cp1251", ["Доброе утро!", "Где ты был вчера?", "Пора идти домой."]),
            ("cp1250", ["Dzień dobry, co słychać?", "Proszę, wejdź do środka.", "Źle się czuję."]),
            ("cp1252", ["L'été dernier, à la plage.", "Où est passée la clé ?", "C'est la vie, mon cœur."]),
            ("cp1252", ["God morgon, hur mår du?", "Det är så vackert här.", "Är du där?"]),
            ("cp1254", ["Günaydın, bugün nasılsın?", "Şimdi gitmeliyiz, çabuk ol.", "İstanbul'da yağmur yağıyor."]),
            ("cp1255", ["בוקר טוב, מה נשמע?", "איפה הילד?", "שלום"]),
            ("cp932", ["おはようございます。", "子供はどこですか？", "映画を見に行きましょう。"]),
        ],
    )
    def test_without_a_language_it_is_told_by_content(self, encoding: str, said: list[str]) -> None:
        lines = (f"{i + 1}\n00:00:{i:02},000 --> 00:00:{i:02},900\n{text}\n\n" for i, text in enumerate(said * 3))
        text = "".join(lines)
        assert decode(text.encode(encoding)) == text


class TestNames:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["en"], ("en", "full")), (["eng", "sdh"], ("en", "sdh")), (["German", "forced"], ("de", "forced")),
            (["pt-br"], ("pt", "full")), (["hi"], ("hi", "full")), (["en", "hi"], ("en", "sdh")), ([], (None, "full")),
        ],
    )  # fmt: skip
    def test_language_and_kind(self, words: list[str], expected: tuple[str | None, str]) -> None:
        assert described(words) == expected

    @pytest.mark.parametrize("word", ["und", "mul", "captions", "chapters", "x264", "part", "new", "old", "sub", "dub"])
    def test_other_words_are_no_language(self, word: str) -> None:
        assert language_code(word) is None

    def test_which_files_belong_to_a_video(self, tmp_path: Path) -> None:
        for name in (
            "talk.mp4", "talk 2.mp4", "talk.srt", "talk.en.forced.vtt", "TALK.DE.ASS", "talk.mp4.srt",
            "talk.captions.srt", "talk.new.srt", "talk.chapters.vtt", "talk 2.srt", "talk2.srt", "talk.txt",
            "Subs/talk.fr.srt", "Subs/2_English.srt", "subtitles/talk/3_Spanish.srt",
        ):  # fmt: skip
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        found = {path.relative_to(tmp_path).as_posix() for path in beside(tmp_path / "talk.mp4")}
        assert found == {
            "talk.srt", "talk.en.forced.vtt", "TALK.DE.ASS", "talk.mp4.srt", "Subs/talk.fr.srt",
            "subtitles/talk/3_Spanish.srt",
        }  # fmt: skip

    def test_a_lone_video_has_all_of_its_subs(self, tmp_path: Path) -> None:
        (tmp_path / "Subs").mkdir()
        (tmp_path / "Subs/2_English.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n")
        (path,) = beside(tmp_path / "film.mkv")
        assert read(path, tmp_path / "film.mkv").language == "en"


class TestReading:
    def test_no_cue_is_an_error_that_names_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "talk.srt"
        path.write_text("once upon a time")
        with pytest.raises(InputError, match=r"talk\.srt: no subtitle"):
            read(path, tmp_path / "talk.mp4")

    def test_too_large_is_refused_before_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "talk.srt"
        with open(path, "wb") as file:
            file.truncate(64 << 20)
        with pytest.raises(InputError, match="67,108,864 bytes"):
            read(path, tmp_path / "talk.mp4")


class TestChoice:
    def test_what_nobody_says_is_left_out(self) -> None:
        given = track("[door slams]", "(laughs) Come in!", "♪ la la ♪", "♪♪", "- Hello")
        assert [line.text for line in spoken(given).lines] == ["Come in!", "la la", "- Hello"]

    def test_full_before_sdh_and_never_forced(self) -> None:
        full, sdh, forced = track("a"), track("b", kind="sdh"), track("c", kind="forced")
        assert choose([forced, sdh, full], language=None, duration_s=60) == full
        assert choose([forced, sdh], language=None, duration_s=60) == sdh
        assert choose([forced], language=None, duration_s=60) is None

    def test_the_language_asked_for(self) -> None:
        english, german = track("a"), track("b", language="de", default=True)
        assert choose([english, german], language=None, duration_s=60) == german  # the default
        assert choose([english, german], language="en", duration_s=60) == english
        assert choose([german], language="en", duration_s=60) is None

    def test_those_of_a_longer_video_are_another_video_s(self) -> None:
        given = track(*"abcdefghijklmnopqrst")
        assert choose([given], language=None, duration_s=10) is None
        kept = choose([given], language=None, duration_s=19)
        assert kept is not None
        assert len(kept.lines) == 19

    def test_a_camera_s_readings_are_no_speech(self) -> None:
        text = '<font size="28">FrameCnt: 1, DiffTime: 33ms 2025-05-04 [iso: 100] [latitude: 12.5] </font>'
        assert choose([track(plain(text), plain(text))], language=None, duration_s=60) is None
