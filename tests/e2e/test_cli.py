"""The command line as people use it: exit codes, messages, data on stdout and talk on stderr (toy profile)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from media_factory import Media

from vidembed.cli import main

Run = tuple[int, str, str]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in an empty folder: (exit code, stdout, stderr with line breaks made spaces)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str) -> Run:
        capsys.readouterr()
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, " ".join(printed.err.split())

    return run


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, media: Media) -> Path:
    """An index of three shots, a tone and a sound without picture."""
    folder = tmp_path_factory.mktemp("library") / "index"
    files = [str(media.path(name)) for name in ("three_shots.mp4", "tone.mp4", "audio_only.m4a")]
    settings = ["--set", "segment.kind=windows", "--set", "segment.window_s=1", "--set", "sample.rate_hz=4"]
    assert main(["index", *files, "--index", str(folder), "--profile", "toy", *settings]) == 0
    return folder


def test_index_search_and_the_json_record(cli: Any, indexed: Path, media: Media) -> None:
    code, out, _ = cli("search", "green", "-i", str(indexed), "--json", "-k", "1")
    assert code == 0
    (best,) = lines(out)
    # The second second of the three shots is green; both files that hold it are right.
    assert Path(best["path"]).name in {"three_shots.mp4", "tone.mp4"}
    assert 0.9 <= best["start_s"] <= best["best_s"] < best["end_s"] <= 2.1
    assert best["channels"]["vision"]["rank"] <= 2  # the two are equal
    assert set(best) >= {"path", "start_s", "end_s", "best_s", "score", "confidence", "channels"}


def test_what_is_found_as_a_file_for_editors(cli: Any, indexed: Path) -> None:
    code, out, _ = cli("search", "green", "-i", str(indexed), "--export", "edl", "-k", "2")
    assert code == 0
    assert out.startswith("TITLE: green")
    assert out.count("* FROM CLIP NAME:") == 2
    code, out, _ = cli("search", "green", "-i", str(indexed), "--export", "otio", "-k", "1")
    assert json.loads(out)["OTIO_SCHEMA"] == "Timeline.1"
    code, _, err = cli("search", "green", "-i", str(indexed), "--export", "mov")
    assert code == 2
    assert "edl, fcpxml, otio, csv, json" in err


def test_a_sound_is_found_by_words(cli: Any, indexed: Path) -> None:
    code, out, _ = cli("search", "low tone", "-i", str(indexed), "--json", "--path", "*.m4a")
    assert code == 0
    assert {Path(record["path"]).name for record in lines(out)} == {"audio_only.m4a"}
    assert "sound" in lines(out)[0]["channels"]


def test_the_table_is_for_people_and_talk_goes_to_stderr(cli: Any, indexed: Path) -> None:
    code, out, err = cli("search", "red", "-i", str(indexed), "-k", "5")
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]
    assert all(row[1].endswith("%") for row in rows)
    assert "three_shots.mp4" in {Path(row[3]).name for row in rows}
    assert "three_shots.mp4" not in err


def test_filters_paging_and_one_moment_a_video(cli: Any, indexed: Path) -> None:
    page = ["search", "red", "-i", str(indexed), "--json"]
    everything = lines(cli(*page, "-k", "4")[1])
    assert lines(cli(*page, "-k", "2", "--offset", "2")[1]) == everything[2:4]
    paths = [record["path"] for record in lines(cli(*page, "--by-video")[1])]
    assert len(paths) == len(set(paths))
    late = lines(cli(*page, "--within", "0:02-0:03")[1])
    assert late
    assert all(record["end_s"] > 2 for record in late)
    assert lines(cli(*page, "--min-duration", "100")[1]) == []


def test_more_like_this_leaves_the_clip_itself_out(cli: Any, indexed: Path) -> None:
    first = lines(cli("search", "red", "-i", str(indexed), "--json", "-k", "1")[1])[0]
    code, out, _ = cli("search", "--like", first["clip_id"], "-i", str(indexed), "--json")
    assert code == 0
    assert first["clip_id"] not in {record["clip_id"] for record in lines(out)}


def test_info_and_doctor_answer_in_json(cli: Any, indexed: Path) -> None:
    code, out, _ = cli("info", "-i", str(indexed), "--json", "--videos")
    assert code == 0
    facts = lines(out)
    assert facts[0]["videos"] == 3
    assert len(facts) == 4
    code, out, _ = cli("doctor", "-i", str(indexed), "--json")
    assert code == 0
    assert {row["check"]: row["ok"] for row in lines(out)}["ffmpeg"] is True


def test_a_second_run_changes_nothing(cli: Any, indexed: Path, media: Media) -> None:
    code, out, _ = cli("index", str(media.path("tone.mp4")), "-i", str(indexed), "--json")
    assert code == 0
    (report,) = lines(out)
    assert (report["done"], len(report["unchanged"]), report["failed"]) == ([], 1, [])


def test_one_channel_is_encoded_anew_with_other_settings(cli: Any, media: Media) -> None:
    assert cli("index", str(media.path("tone.mp4")), "-i", "x", "-p", "toy")[0] == 0
    code, _, err = cli("index", str(media.path("tone.mp4")), "-i", "x", "--set", "channels.vision.pool=max")
    assert code == 4
    assert "--reencode vision" in err
    assert cli("index", "-i", "x", "--reencode", "vision", "--set", "channels.vision.pool=max")[0] == 0
    assert cli("index", "-i", "x")[0] == 0, "the index has noted it"
    assert "    pool: max                   # the index" in cli("config", "show", "-i", "x")[1]
    assert lines(cli("search", "red", "-i", "x", "--json")[1])


def test_remove_and_what_is_not_there(cli: Any, media: Media) -> None:
    assert cli("index", str(media.path("tone.mp4")), "-i", "x", "-p", "toy")[0] == 0
    assert cli("remove", str(media.path("tone.mp4")), "-i", "x")[0] == 0
    assert lines(cli("info", "-i", "x", "--json")[1])[0]["videos"] == 0
    assert cli("remove", "*.nothing", "-i", "x")[0] == 2
    assert media.path("tone.mp4").exists()


def test_cut_writes_the_span_and_never_over_a_file(cli: Any, media: Media, tmp_path: Path) -> None:
    from vidembed.media.reading.probe import probe

    video = str(media.path("three_shots.mp4"))
    assert cli("cut", video, "0:01", "2.5", "part.mp4")[0] == 0
    assert probe(tmp_path / "part.mp4").duration_s == pytest.approx(1.5, abs=0.11)
    code, _, err = cli("cut", video, "1", "2", "part.mp4")
    assert code == 2
    assert "part.mp4" in err
    assert cli("cut", video, "2", "1", "other.mp4")[0] == 2


def test_config_show_names_origins(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEMBED__SEARCH__RRF_K", "30")
    code, out, _ = cli("config", "show", "-p", "toy", "--set", "run.batch_size=3")
    assert code == 0
    lines = {line.strip().partition(":")[0]: line for line in out.splitlines()}
    assert lines["rrf_k"].split() == ["rrf_k:", "30", "#", "environment", "VIDEMBED__SEARCH__RRF_K"]
    monkeypatch.delenv("VIDEMBED__SEARCH__RRF_K")
    Path("same.yaml").write_text(out)
    again = cli("config", "show", "--config", "same.yaml", "-p", "toy", "--json")[1]
    assert json.loads(again)["run"]["batch_size"] == 3
    assert json.loads(again)["search"]["rrf_k"] == 30
    assert yaml.safe_load(out) == json.loads(again), "the output is a settings file that gives the same settings"


def test_config_show_is_of_the_index_where_there_is_one(cli: Any, media: Media) -> None:
    assert cli("index", str(media.path("tone.mp4")), "-i", "x", "-p", "toy", "--set", "segment.window_s=7")[0] == 0
    out = cli("config", "show", "-i", "x")[1]
    assert out.startswith("profile: toy\n")
    assert "  window_s: 7" in out
    assert "# the index" in out


def test_a_store_in_memory_says_that_nothing_stays(cli: Any, media: Media) -> None:
    code, _, err = cli("index", str(media.path("tone.mp4")), "-i", "x", "-p", "toy", "--set", "store.kind=memory")
    assert code == 0
    assert "nothing stays" in err


def test_a_mistyped_tag_or_value_says_which_there_are(cli: Any, media: Media) -> None:
    video = str(media.path("tone.mp4"))
    assert cli("index", video, "-i", "x", "-p", "toy")[0] == 0
    assert cli("tag", video, "--set", "place=home", "-i", "x")[0] == 0
    assert lines(cli("search", "red", "--tag", "place=home", "-i", "x", "--json")[1])
    code, _, err = cli("search", "red", "--tag", "plce=home", "-i", "x")
    assert (code, "did you mean place?" in err) == (2, True)
    code, _, err = cli("search", "red", "--tag", "place=hme", "-i", "x")
    assert (code, "place is one of: home" in err) == (2, True)


# What is given -> what is said. Each is (arguments, exit code, words in the message).
BAD: list[tuple[str, list[str], int, str]] = [
    ("missing path", ["index", "nowhere", "-p", "toy"], 2, "nowhere"),
    ("no videos", ["index", "-p", "toy"], 2, "nothing to index"),
    ("empty folder", ["index", "{empty}", "-p", "toy"], 2, "no video"),
    ("no index", ["search", "red"], 2, "no index at"),
    ("unknown profile", ["index", "{tone}", "-p", "labtop"], 2, "laptop"),
    ("unknown model", ["index", "{tone}", "-p", "toy", "--set", "channels.vision.model=clipp"], 4, "clipp"),
    ("unknown setting", ["index", "{tone}", "-p", "toy", "--set", "search.rrfk=3"], 2, "rrfk"),
    ("setting out of bounds", ["index", "{tone}", "-p", "toy", "--set", "search.rrf_k=0"], 2, "search.rrf_k"),
    ("empty query", ["search", "  ", "-i", "{index}"], 2, "no letter or digit"),
    ("nothing asked", ["search", "-i", "{index}"], 2, "nothing to look for"),
    ("undecodable image", ["search", "--image", "{junk}", "-i", "{index}"], 2, "junk"),
    ("missing image", ["search", "--image", "nowhere.jpg", "-i", "{index}"], 2, "nowhere.jpg"),
    ("bad weight", ["search", "red", "--weight", "vision", "-i", "{index}"], 2, "--weight takes NAME=NUMBER"),
    ("unknown channel", ["search", "red", "--channels", "smell", "-i", "{index}"], 2, "smell"),
    ("bad date", ["search", "red", "--after", "yesterday", "-i", "{index}"], 2, "2026-01-31"),
    ("bad span", ["search", "red", "--within", "9-3", "-i", "{index}"], 2, "start before its end"),
    ("some videos anew", ["index", "{tone}", "--reencode", "vision", "-i", "{index}"], 2, "the whole index"),
    (
        "other clips anew",
        ["index", "--reencode", "vision", "--set", "segment.window_s=9", "-i", "{index}"],
        2,
        "keeps the",
    ),
    ("anew and watch", ["index", "--reencode", "vision", "--watch", "-i", "{index}"], 2, "without --watch"),
    ("watch and prune", ["index", "{tone}", "--watch", "--prune", "-i", "{index}"], 2, "--watch hides"),
    ("then and check", ["search", "red", "--then", "lime", "--check", "toy", "-i", "{index}"], 2, "without --check"),
    ("lines and a reel", ["search", "-", "--reel", "a.mp4", "-i", "{index}"], 2, "- goes without --reel"),
    ("two outputs", ["search", "red", "--json", "--export", "csv", "-i", "{index}"], 2, "without --export"),
    ("unknown option", ["search", "--nonsense"], 2, "nonsense"),
    ("another model", ["index", "{tone}", "-i", "{index}", "-p", "starter"], 4, "toy"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_says_what_was_wrong(
    cli: Any, indexed: Path, media: Media, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {
        "empty": str(tmp_path / "empty"),
        "tone": str(media.path("tone.mp4")),
        "junk": str(media.path("junk.mp4")),
        "index": str(indexed),
    }
    got, _, err = cli(*(argument.format(**places) for argument in arguments))
    assert got == code, err
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("junk.mp4", "junk.mp4"),
        ("empty.mp4", "empty"),
        ("playlist.mp4", "playlist.mp4"),
        ("concat.mp4", "concat.mp4"),
        ("no_index.mp4", "no_index.mp4"),
    ],
)
def test_a_bad_file_is_listed_and_the_rest_is_done(cli: Any, media: Media, name: str, words: str) -> None:
    code, out, err = cli(
        "index", str(media.path(name)), str(media.path("one_frame.mp4")), "-i", "x", "-p", "toy", "--json"
    )
    (report,) = lines(out)
    assert code == 3
    assert [Path(path).name for path in report["done"]] == ["one_frame.mp4"]
    assert [Path(failure["item"]).name for failure in report["failed"]] == [name]
    assert report["failed"][0]["message"]
    assert words in err


def test_truncated_audio_only_and_one_frame_are_indexed(cli: Any, media: Media) -> None:
    names = ("truncated.mp4", "audio_only.m4a", "one_frame.mp4", "bitrot.mp4")
    code, out, err = cli("index", *(str(media.path(name)) for name in names), "-i", "x", "-p", "toy", "--json")
    (report,) = lines(out)
    assert code == 0
    assert len(report["done"]) == len(names)
    assert report["clips"] >= len(names)
    damaged = {Path(entry["item"]).name: entry for entry in report["damaged"]}
    assert set(damaged) == {"truncated.mp4", "bitrot.mp4"}
    assert damaged["truncated.mp4"]["missing"] > 0
    assert damaged["bitrot.mp4"]["frames"] > 0
    assert "2 files are damaged: " in err
    code, out, _ = cli("info", "-i", "x", "--videos", "--json")
    records = {Path(record["info"]["path"]).name: record for record in lines(out)[1:]}
    assert records["bitrot.mp4"]["damage"]["frames"] == records["bitrot.mp4"]["counts"]["corrupt"] > 0
    assert records["one_frame.mp4"]["damage"] is None
    _, out, _ = cli("info", "-i", "x", "--videos")
    assert ", 2 damaged" in out
    assert "could not be decoded)" in next(line for line in out.splitlines() if "bitrot.mp4" in line)


def test_missing_weights_name_the_way_out(cli: Any, media: Media) -> None:
    away = ("--set", "offline=true", "--set", "weights_dir=w")
    code, _, err = cli("index", str(media.path("tone.mp4")), "-i", "x", "-p", "laptop", *away)
    assert code == 4
    assert "hint:" in err
    assert "weights" in err.lower()


def test_an_index_in_use_by_another_process_says_so(cli: Any, media: Media) -> None:
    assert cli("index", str(media.path("tone.mp4")), "-i", "x", "-p", "toy")[0] == 0
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import vidembed, sys\nindex = vidembed.open_index('x')\nindex.search('red')\n"
            "print('open', flush=True)\nsys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        code, _, err = cli("index", str(media.path("three_shots.mp4")), "-i", "x")
        assert code == 4
        assert "another process" in err or "in use" in err
        assert "hint:" in err
    finally:
        holder.communicate("")
    assert cli("index", str(media.path("three_shots.mp4")), "-i", "x")[0] == 0


def test_python_dash_m_is_the_same_command() -> None:
    run = subprocess.run([sys.executable, "-m", "vidembed", "--version"], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert run.stdout.startswith("vidembed ")


@pytest.mark.parametrize("command", [["models", "--json"], ["search", "red", "--json"], ["info", "--videos"]])
def test_a_reader_that_has_enough_ends_a_command_with_0(indexed: Path, command: list[str]) -> None:
    where = [] if command[0] == "models" else ["--index", str(indexed)]
    run = subprocess.Popen(
        [sys.executable, "-m", "vidembed", *command, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    said = run.stderr.read()
    run.stderr.close()
    assert (run.wait(timeout=100), said) == (0, b"")


def test_the_demo_is_not_made_in_an_index_of_ones_own(cli: Any, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEMBED_INDEX", str(indexed))
    before = json.loads(cli("info", "--json")[1])["videos"]
    assert cli("demo", "--profile", "toy", "--query", "red")[0] in (0, 2), "2: without the extra demo"
    assert json.loads(cli("info", "--json")[1])["videos"] == before
