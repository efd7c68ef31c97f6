"""A crash of a decoder costs one file: what was in hand is known to the next run, and decoded apart there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_videos
from crashing import CRASHING

from vidembed import open_index
from vidembed.cli import supervising
from vidembed.index.pipeline.in_hand import InHand
from vidembed.media.reading.channels import _planes
from vidembed.types import Failure

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


def test_what_was_in_hand_is_suspect(tmp_path: Path) -> None:
    notes = InHand(tmp_path / "in-hand")
    assert notes.suspects == frozenset()
    with notes.hold(Path("/videos/good.mp4")):
        pass
    left = notes.hold(Path("/videos/ünsafe \udcff.mp4"))
    left.__enter__()  # a process that dies leaves the block without coming to its end
    assert InHand(tmp_path / "in-hand").suspects == {Path("/videos/ünsafe \udcff.mp4")}
    left.__exit__(None, None, None)
    assert InHand(tmp_path / "in-hand").suspects == frozenset()


def test_an_error_in_the_file_is_no_crash(tmp_path: Path) -> None:
    notes = InHand(tmp_path / "in-hand")
    with pytest.raises(ValueError, match="damaged"), notes.hold(Path("/videos/a.mp4")):
        raise ValueError("damaged")
    assert InHand(tmp_path / "in-hand").suspects == frozenset()


def test_what_crashed_a_decoder_is_tried_again_apart(tmp_path: Path) -> None:
    crash = Failure("/videos/a.mp4", "probe", "DecoderCrashed", "a.mp4: it crashed the decoder (exit -11)")
    broken = Failure("/videos/b.mp4", "probe", "MediaUnreadable", "b.mp4: the file is empty (0 bytes)")
    assert InHand(tmp_path / "in-hand", [crash, broken]).suspects == {Path("/videos/a.mp4")}


def crashing(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, which crashes where it decodes bad.mp4."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(CRASHING)
    path = os.pathsep.join([str(folder / "site"), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


@POSIX
@pytest.mark.parametrize("by", ["command", "Python"])
def test_a_crash_costs_one_file(tmp_path: Path, by: str) -> None:
    videos = tmp_path / "videos"
    for name, colour in (("a.mp4", "red"), ("bad.mp4", "green"), ("z.mp4", "blue")):
        toy_videos.make(videos / name, colour, colour, hz=200)
    if by == "command":
        run = crashing(
            tmp_path, "-m", "vidembed", "index", str(videos), "--index", str(tmp_path / "i"), "--profile", "toy"
        )
        assert run.returncode == 3, run.stderr
        assert "a decoder crashed; going on" in run.stderr
        assert "Traceback" not in run.stderr
    else:
        add = "import vidembed, sys; vidembed.open_index(sys.argv[1], profile='toy').add(sys.argv[2])"
        runs = [crashing(tmp_path, "-c", add, str(tmp_path / "i"), str(videos)) for _ in range(2)]
        assert [run.returncode for run in runs] == [-signal.SIGSEGV, 0], "the next one goes on"
    with open_index(tmp_path / "i") as index:
        assert sorted(video.info.path.name for video in index.videos()) == ["a.mp4", "z.mp4"]
        (failure,) = index.failures()
        assert Path(failure.item).name == "bad.mp4"
        assert "it crashed the decoder" in failure.message
        assert index.search("blue", k=1)[0].path.name == "z.mp4"
    assert not list((tmp_path / "i" / "in-hand").iterdir())


@POSIX
def test_a_crash_while_captioning_costs_one_file(tmp_path: Path) -> None:
    for name, colour in (("a.mp4", "red"), ("bad.mp4", "green"), ("z.mp4", "blue")):
        toy_videos.make(tmp_path / "videos" / name, colour, hz=None)
    with open_index(tmp_path / "i", profile="toy") as index:
        index.add(tmp_path / "videos")
    run = crashing(tmp_path, "-m", "vidembed", "caption", "--index", str(tmp_path / "i"), "--model", "toy-captioner")
    assert (run.returncode, "Traceback" in run.stderr) == (3, False), run.stderr
    assert "a decoder crashed; going on" in run.stderr
    assert "it crashed the decoder" in run.stderr
    with open_index(tmp_path / "i") as index:
        texts = {video.path.name: [caption.text for caption in video.captions] for video in index.captioned()}
    assert texts == {"a.mp4": ["red frames"], "z.mp4": ["blue frames"]}


@POSIX
def test_only_crashes_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    new = count()
    monkeypatch.setattr(supervising, "_in_hand", lambda argv: frozenset(range(next(new) + 1)))  # one more each time
    codes = iter([-signal.SIGSEGV, -signal.SIGABRT, 3])
    monkeypatch.setattr(supervising, "_run", lambda argv: next(codes))
    assert supervising.supervise(["index"]) == 3
    for code, expected in ((0, 0), (2, 2), (-signal.SIGTERM, 143), (-signal.SIGKILL, 137)):
        monkeypatch.setattr(supervising, "_run", lambda argv, code=code: code)
        assert supervising.supervise(["index"]) == expected
    starts = []
    monkeypatch.setattr(supervising, "_run", lambda argv: starts.append(argv) or -signal.SIGSEGV)
    assert supervising.supervise(["index"]) == 128 + signal.SIGSEGV
    assert len(starts) == supervising.MOST_CRASHES + 1


@POSIX
@pytest.mark.parametrize("given", [["--index", "i"], ["--index=i"], ["-i", "i"], ["-ii"], []])
def test_a_crash_without_a_new_file_in_hand_is_no_decoders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if not given:
        monkeypatch.setenv("VIDEMBED_INDEX", "i")
    starts, held = [], []  # what is held is not let go, as in a process that dies

    def crash(argv: object) -> int:
        starts.append(argv)
        if len(starts) < 3:  # the third time the second file is in hand again, decoded apart
            held.append(InHand(Path("i") / "in-hand").hold(Path(f"{len(starts)}.mp4")))
            held[-1].__enter__()
        return -int(signal.SIGBUS)

    monkeypatch.setattr(supervising, "_run", crash)
    assert supervising.supervise(["index", *given]) == 128 + signal.SIGBUS
    assert len(starts) == 3
    told = capsys.readouterr().err
    assert told.count("a decoder crashed; going on") == 2
    assert "no decoder is the cause\nhint: is the disk full?" in told


def stopped(popen: str, number: int) -> int:
    """Exit code of a supervised run, in a process of its own: signals would end the one that tests."""
    script = f"""
import signal, subprocess, sys
from vidembed.cli import supervising
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
number, real = {number}, subprocess.Popen
def start(code):
    return real([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
{popen}
subprocess.Popen = popen
supervising._told_by_terminal = lambda: False
sys.exit(supervising.supervise(["index"]))
"""
    return subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_a_run_stops_what_decodes(number: int) -> None:
    """The child asks for the signal itself once it is ready, so that nobody waits for it."""
    popen = """
def popen(_, env):
    return start(f"import os, signal; os.kill(os.getppid(), {number}); signal.pause()")
"""
    assert stopped(popen, number) == 128 + number


@POSIX
def test_a_run_that_is_stopped_before_it_has_begun_stops() -> None:
    popen = """
def popen(_, env):
    child = start("import signal; signal.pause()")
    signal.raise_signal(number)  # while the child is being made
    return child
"""
    assert stopped(popen, signal.SIGTERM) == 128 + signal.SIGTERM


def test_a_watched_run_shares_two_heaps_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def popen(_: object, env: dict[str, str]) -> subprocess.Popen[bytes]:
        given.append(env["MALLOC_ARENA_MAX"])
        return started([sys.executable, "-c", ""])

    started = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert supervising.supervise(["index"]) == 0
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    assert supervising.supervise(["index"]) == 0
    assert given == ["2", "7"]


def test_which_commands_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    assert supervising.wanted(["index", "videos"])
    assert supervising.wanted(["caption"])
    assert not supervising.wanted(["search", "a dog"])
    assert not supervising.wanted([])
    monkeypatch.setenv("VIDEMBED_SUPERVISED", "1")
    assert not supervising.wanted(["index", "videos"])


@pytest.mark.parametrize(
    ("channels", "planar", "planes", "whole"),
    [
        (2, True, [4096, 4096], True),
        (2, True, [4096], False),  # two channels are claimed, one is there
        (2, True, [4096, 100], False),
        (2, True, [4096, 4096, 4096], True),  # the third is no channel's
        (9, True, [4096] * 9, False),
        (2, False, [8192], True),
        (6, False, [8192], False),
    ],
)
def test_a_frame_is_as_large_as_it_says(channels: int, planar: bool, planes: list[int], whole: bool) -> None:
    frame = SimpleNamespace(
        samples=1024,
        layout=SimpleNamespace(nb_channels=channels),
        format=SimpleNamespace(is_planar=planar, packed=SimpleNamespace(name="flt")),
        planes=[SimpleNamespace(buffer_size=size) for size in planes],
    )
    if not whole:
        with pytest.raises(ValueError, match="channels of unknown places|more samples than its planes hold"):
            _planes(frame)
    else:
        assert [(dtype, width) for _, dtype, width in _planes(frame)] == [("f4", 1)] * 2 if planar else [("f4", 2)]
