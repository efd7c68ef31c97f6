"""The site over HTTP, without a browser: routes, refusals, attacks, the documented endpoints."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos

pytest.importorskip("gradio")
from starlette.testclient import TestClient

from vidembed import Query, VideoIndex, open_index
from vidembed.app import AppSettings, ServerSettings, Site, make_server
from vidembed.app.asking import Ask, run
from vidembed.app.captioning import edit
from vidembed.app.captions_tab import lines_html
from vidembed.app.copies import copies_html
from vidembed.app.intake import files_under_roots, take_uploads, try_decoding
from vidembed.app.library_tab import act, add_uploads
from vidembed.app.library_view import table_html
from vidembed.app.security import Guard
from vidembed.cli.serve import read_auth
from vidembed.errors import BadQuery, InputError, MediaNotFound, MediaUnreadable

HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    toy_videos.make(folder / "red_blue.mp4", "red", "red", "blue", "blue", hz=200)
    toy_videos.make(folder / "green.mp4", "lime", "lime", hz=None)
    return folder


@pytest.fixture
def library(films: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(films, tmp_path / "films", copy_function=shutil.copy2))


@pytest.fixture
def index(library: Path, tmp_path: Path) -> Iterator[VideoIndex]:
    with open_index(tmp_path / "index", profile="toy", overrides={"store.kind": "memory"}) as made:
        made.add(library)
        yield made


@pytest.fixture
def site(index: VideoIndex, library: Path) -> Iterator[Site]:
    made = Site(index, AppSettings(roots=(library,), max_upload_mb=1, max_uploads=2, check_s=5.0))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    """For tests that take nothing away."""
    folder = tmp_path_factory.mktemp("shared")
    with open_index(folder / "index", profile="toy", overrides={"store.kind": "memory"}) as made:
        made.add(films)
        yield made


@pytest.fixture(scope="module")
def guard(shared: VideoIndex) -> Guard:
    return make_server(shared, AppSettings(max_upload_mb=1, max_uploads=2))


@pytest.fixture(scope="module")
def web(guard: Guard) -> Iterator[TestClient]:
    with TestClient(guard, base_url=HERE) as client:
        yield client


def video_named(index: VideoIndex, name: str) -> str:
    return next(record.info.video_id for record in index.videos() if record.info.path.name == name)


def red_answer(guard: Guard) -> Any:
    moments = guard.site.index.search("red", k=1)
    return guard.site.answers.put(Query.text("red"), "red", moments, {})


class TestMedia:
    def test_ranges(self, web: TestClient, shared: VideoIndex, library: Path) -> None:
        whole = (library / "red_blue.mp4").read_bytes()
        address = f"/media/{video_named(shared, 'red_blue.mp4')}"
        part = web.get(address, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        assert web.get(address).content == whole
        assert web.get(address, headers={"Range": "bytes=99999999-"}).status_code == 416

    def test_a_piece_says_where_it_begins(self, web: TestClient, shared: VideoIndex) -> None:
        answer = web.get(f"/piece/{video_named(shared, 'red_blue.mp4')}?start_s=2.5")
        assert (answer.status_code, answer.headers["x-start-s"]) == (200, "0.000")
        assert answer.content[4:8] == b"ftyp"

    def test_a_thumbnail_is_the_clips_own_colour(self, web: TestClient, shared: VideoIndex) -> None:
        import numpy as np
        import PIL.Image

        clip = shared.search("red", k=1)[0].clip_id
        answer = web.get(f"/thumb/{clip}")
        assert answer.headers["content-type"] == "image/jpeg"
        colour = np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("RGB")).mean(axis=(0, 1))
        assert colour[0] > 200 > 60 > colour[2]

    @pytest.mark.parametrize("what", ["media", "piece", "thumb", "captions"])
    @pytest.mark.parametrize("name", ["0" * 32, "..%2f..%2fetc%2fpasswd", "%2e%2e", "x" * 5000, "a%00b"])
    def test_only_ids_of_the_library(self, web: TestClient, what: str, name: str) -> None:
        answer = web.get(f"/{what}/{name}")
        assert answer.status_code == 404
        assert "root:" not in answer.text

    def test_a_file_swapped_for_a_link_elsewhere_is_not_served(
        self, site: Site, library: Path, films: Path, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret.mp4"
        secret.write_text("the secret")
        video = video_named(site.index, "green.mp4")
        assert site.media.original(video) == library / "green.mp4"
        (library / "green.mp4").unlink()
        (library / "green.mp4").symlink_to(secret)
        with pytest.raises(MediaNotFound):
            site.media.original(video)
        (library / "green.mp4").unlink()
        (library / "green.mp4").symlink_to(films / "green.mp4")
        assert site.media.original(video)  # the same film by another way is what was indexed

    @pytest.mark.parametrize(
        "address",
        ["/gradio_api/file=/etc/passwd", "/file=/etc/passwd", "/gradio_api/file=../../../../etc/passwd",
         "/static/../../../etc/passwd", "/gradio_api/proxy=http://127.0.0.1:1/"],
    )  # fmt: skip
    def test_gradios_own_addresses_give_no_files(self, web: TestClient, address: str) -> None:
        answer = web.get(address)
        assert answer.status_code in (400, 403, 404)
        assert "root:" not in answer.text

    def test_nor_files_of_the_index(self, web: TestClient, shared: VideoIndex) -> None:
        for name in ("index.json", "catalog.sqlite"):
            assert web.get(f"/gradio_api/file={shared.path / name}").status_code in (403, 404)


class TestAnswers:
    def test_exports_and_timeline(self, web: TestClient, guard: Guard) -> None:
        answer = red_answer(guard)
        body = json.loads(web.get(f"/export/{answer.token}.json").text)
        assert body["moments"][0]["file"] == "red_blue.mp4"
        csv = web.get(f"/export/{answer.token}.csv")
        assert "attachment" in csv.headers["content-disposition"]
        curve = web.get(f"/curve/{answer.token}/0").text
        assert 'data-duration="4.0' in curve
        assert 'data-time="0.000"' in curve

    def test_the_cut_clip_shows_what_was_found(self, web: TestClient, guard: Guard, tmp_path: Path) -> None:
        from vidembed.media.reader import open_video

        answer = red_answer(guard)
        with zipfile.ZipFile(io.BytesIO(web.get(f"/export/{answer.token}.zip").content)) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".mp4"))
            archive.extract(name, tmp_path)
        with open_video(tmp_path / name) as video:
            red, _, blue = video.frames([0.1], short_side_px=16).rgb[0].mean(axis=(0, 1))
        assert red > 200 > 60 > blue

    def test_tokens_cannot_be_guessed(self, web: TestClient, guard: Guard) -> None:
        answer = red_answer(guard)
        assert web.get(f"/curve/{answer.token}/7").status_code == 404
        assert web.get("/curve/nothing/0").status_code == 404
        assert web.get(f"/export/{answer.token}.exe").status_code == 404


class TestDoor:
    def test_other_names_are_refused_on_loopback(self, web: TestClient) -> None:
        assert web.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
        assert web.get("/healthz", headers={"Host": "localhost:7860"}).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
         {"Origin": "http://127.0.0.1.evil.example"}, {"Origin": "http://127.0.0.1:9999"}],
    )  # fmt: skip
    def test_other_sites_cannot_change_anything(self, web: TestClient, headers: dict[str, str]) -> None:
        for address in ("/gradio_api/upload", "/gradio_api/call/edit_caption", "/gradio_api/queue/join"):
            answer = web.post(address, headers=headers, json={"data": ["x", "y"]})
            assert (answer.status_code, answer.text) == (403, "requests from other sites are refused")

    def test_own_page_may(self, web: TestClient) -> None:
        answer = web.post("/gradio_api/call/list_videos", headers={"Origin": HERE}, json={"data": []})
        assert answer.status_code == 200

    def test_too_large_is_refused_before_it_is_read(self, web: TestClient) -> None:
        answer = web.post("/gradio_api/upload", headers={"Content-Length": str(1 << 40)}, content=b"x")
        assert answer.status_code == 413

    def test_an_upload_above_the_limit(self, web: TestClient) -> None:
        answer = web.post("/gradio_api/upload", files={"files": ("big.mp4", b"\0" * (2 << 20))})
        assert answer.status_code == 413
        assert web.get("/healthz").text == "ok"

    def test_password(self, shared: VideoIndex) -> None:
        guard = make_server(shared, server=ServerSettings(auth=("me", "pa:ss")))
        video = video_named(shared, "green.mp4")
        with TestClient(guard, base_url=HERE) as client:
            for address in ("/", f"/media/{video}", "/gradio_api/info", "/healthz"):
                assert client.get(address).status_code == 401
                assert client.get(address, auth=("me", "wrong")).status_code == 401
                assert client.get(address, auth=("me", "pa:ss")).status_code == 200
            for junk in ("Basic !!!", "Basic", "Bearer x", f"Basic {base64.b64encode(b'me').decode()}"):
                assert client.get("/", headers={"Authorization": junk}).status_code == 401

    def test_nobody_may_frame_or_sniff(self, web: TestClient) -> None:
        headers = web.get("/healthz").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]

    def test_page_fetches_nothing_from_elsewhere(self, web: TestClient) -> None:
        page = web.get("/").text
        for sign in ('src="http', 'href="https://fonts', "@import url(http"):
            assert sign not in page

    def test_root_path(self, shared: VideoIndex) -> None:
        guard = make_server(shared, AppSettings(root_path="/films"))
        assert guard.site.url("thumb/x") == "/films/thumb/x"

    def test_login_from_option_file_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read_auth(None, None) is None
        assert read_auth("a:b:c", None) == ("a", "b:c")
        (tmp_path / "login").write_text("file:secret\n")
        assert read_auth(None, tmp_path / "login") == ("file", "secret")
        monkeypatch.setenv("VIDEMBED_AUTH", "env:secret")
        assert read_auth(None, None) == ("env", "secret")
        for wrong in ("nocolon", ":x", "x:"):
            with pytest.raises(InputError):
                read_auth(wrong, None)
        with pytest.raises(InputError):
            read_auth(None, tmp_path / "none")


class TestIntake:
    def put(self, folder: Path, name: str, content: bytes | Path) -> str:
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        return str(target)

    def test_a_good_upload_is_kept_and_found(self, site: Site, films: Path, tmp_path: Path) -> None:
        other = toy_videos.make(tmp_path / "made" / "yellow.mp4", "yellow", hz=None)
        assert add_uploads(site, [self.put(tmp_path / "in", "my yellow.mp4", other)]) == ""
        assert site.jobs.wait(60)
        assert not (tmp_path / "in" / "my yellow.mp4").exists()
        record = next(r for r in site.index.videos() if r.info.path.name == "my yellow.mp4")
        assert record.info.path.is_relative_to(site.uploads)
        act(site, "remove", {"video": record.info.video_id})
        assert record.info.path.exists()  # it can be put back
        site.close()
        assert not record.info.path.exists()  # an upload has no other home; a file of a folder would stay

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("list.m3u8", b"#EXTM3U\nfile:///etc/passwd\n", "not a video or sound file by its extension"),
            ("list.mp4", b"#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "playlist"),
            ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "ffconcat"),
            ("junk.mp4", b"This is no video at all.\n" * 40, ""),
            ("empty.mp4", b"", "empty"),
            ("page.html", b"<script>alert(1)</script>", "not a video or sound file"),
            ("big.mp4", b"\0" * ((1 << 20) + 1), "allowed"),
        ],
    )
    def test_bad_uploads_are_refused_with_the_reason(
        self, site: Site, tmp_path: Path, name: str, content: bytes, reason: str
    ) -> None:
        given = self.put(tmp_path / "in", name, content)
        if name == "big.mp4":
            Path(given).write_bytes(content + b"\0" * (1 << 20))
        taken, refused = take_uploads(site, [given])
        assert taken == []
        assert reason in refused[0].reason
        assert str(tmp_path) not in refused[0].reason  # the server's folders are nobody's business
        assert not Path(given).exists()
        assert not list(site.uploads.rglob("*.*")) if site.uploads.exists() else True

    def test_html_in_a_name_is_text(self, site: Site, tmp_path: Path) -> None:
        nasty = "<img src=x onerror=alert(1)>{{x}}${y}.mp4"
        text = add_uploads(site, [self.put(tmp_path / "in", nasty, b"junk")])
        assert "<img" not in text
        assert "&lt;img src=x" in text
        assert "{{" not in text
        assert "${" not in text

    def test_too_many_at_once(self, site: Site) -> None:
        with pytest.raises(InputError, match="at most 2"):
            take_uploads(site, ["a", "b", "c"])

    def test_a_file_that_hangs_the_decoder_is_stopped(
        self, site: Site, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = tmp_path / "ffmpeg"
        slow.write_text("#!/bin/sh\nexec sleep 60\n")
        slow.chmod(0o755)
        monkeypatch.setattr("vidembed.media.ffmpeg.find_ffmpeg", lambda: str(slow))
        with pytest.raises(MediaUnreadable, match=r"green.mp4: .*took longer than 0.3 s"):
            try_decoding(films / "green.mp4", timeout_s=0.3)

    @pytest.mark.parametrize("path", ["/etc", "..", "../..", "/etc/passwd", "~", "/", "a\x00b", "", "list.txt", "out"])
    def test_folders_outside_the_roots(self, site: Site, library: Path, path: str) -> None:
        (library / "list.txt").write_text("/etc/passwd\n")
        (library / "out").symlink_to("/etc")
        with pytest.raises(InputError) as caught:
            files_under_roots(site, path)
        assert "passwd" not in caught.value.message.replace(path, "")

    def test_links_out_of_a_root_are_left_out(self, site: Site, library: Path, tmp_path: Path) -> None:
        toy_videos.make(tmp_path / "outside.mp4", "red", hz=None)
        (library / "link.mp4").symlink_to(tmp_path / "outside.mp4")
        names = [path.name for path in files_under_roots(site, str(library))]
        assert names == ["green.mp4", "red_blue.mp4"]
        with pytest.raises(InputError):
            files_under_roots(site, "link.mp4")
        assert [path.name for path in files_under_roots(site, "green.mp4")] == ["green.mp4"]

    def test_without_roots_nothing_is_open(self, index: VideoIndex, library: Path) -> None:
        closed = Site(index)
        with pytest.raises(InputError, match="no folders"):
            files_under_roots(closed, str(library))
        closed.close()

    def test_readonly_changes_nothing(self, index: VideoIndex) -> None:
        shown = Site(index, AppSettings(readonly=True))
        video, clip = index.videos()[0].info.video_id, index.clips()[0].clip_id
        for action in ("demo", "folder", "remove", "retry"):
            with pytest.raises(InputError, match="only shows"):
                act(shown, action, {"video": video, "folder": "."})
        with pytest.raises(InputError, match="only shows"):
            take_uploads(shown, [])
        with pytest.raises(InputError, match="only shows"):
            edit(shown, clip, "x")
        assert "Remove" not in table_html(shown, "")
        shown.close()

    @pytest.mark.parametrize("field", ["audio", "video"])
    def test_what_is_searched_by_is_checked_as_well(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
    ) -> None:
        listed = tmp_path / "list.mp4"
        listed.write_text("#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
        with pytest.raises(MediaUnreadable, match="playlist"):
            run(site, Ask(**{field: str(listed)}))
        hangs = tmp_path / "ffmpeg"
        hangs.write_text("#!/bin/sh\nexec sleep 60\n")
        hangs.chmod(0o755)
        monkeypatch.setattr("vidembed.media.ffmpeg.find_ffmpeg", lambda: str(hangs))
        quick = Site(site.index, AppSettings(check_s=0.3))
        given = toy_videos_path(site.index)
        with pytest.raises(MediaUnreadable, match="took longer than"):
            run(quick, Ask(**{field: given}))
        assert run(quick, Ask(text="red")).moments  # the server lives on


class TestChanges:
    def test_what_was_removed_comes_back_with_its_words(self, site: Site) -> None:
        video = video_named(site.index, "red_blue.mp4")
        clip = site.index.clips(video)[0].clip_id
        edit(site, clip, "a red wall")
        site.index.tag(video, {"place": "hall"})
        token = act(site, "remove", {"video": video}).partition('data-token="')[2].partition('"')[0]
        assert [r.info.path.name for r in site.index.videos()] == ["green.mp4"]
        act(site, "undo", {"token": token})
        assert site.jobs.wait(60)
        record = next(r for r in site.index.videos() if r.info.video_id == video)
        assert record.tags == {"place": "hall"}
        assert [(c.text, c.human) for c in site.index.captions(video)] == [("a red wall", True)]
        with pytest.raises(InputError, match="can no longer be undone"):
            act(site, "undo", {"token": token})

    def test_nothing_waits_for_a_long_run(self, site: Site) -> None:
        """The index has one writer: removals and edits queue up instead of holding up the page."""
        begun, go = threading.Event(), threading.Event()
        site.jobs.start("Adding a lot", lambda report: (begun.set(), go.wait(30), "")[2])
        assert begun.wait(30)
        video, clip = video_named(site.index, "green.mp4"), site.index.search("red", k=1)[0].clip_id
        assert "when the running work is done" in act(site, "remove", {"video": video})
        assert edit(site, clip, "first")[1] is False
        assert edit(site, clip, "second")[1] is False
        assert "second" in lines_html(site, [site.index.clip(clip).video_id])
        assert len(site.index.videos()) == 2
        assert site.status()["text"] == "Adding a lot, 2 waiting"
        act(site, "cancel", {})  # drops the removal; what a person wrote is kept
        go.set()
        assert site.jobs.wait(60)
        assert len(site.index.videos()) == 2
        assert [c.text for c in site.index.captions()] == ["second"]

    def test_uploads_that_were_cut_off_are_swept(self, site: Site) -> None:
        stray = site.uploads / ("0" * 16) / "half.mp4"
        other = site.uploads / "notes" / "mine.txt"
        for file in (stray, other):
            file.parent.mkdir(parents=True)
            file.write_text("x")
        site.close()
        assert not stray.exists()
        assert other.exists()  # not ours

    def test_status(self, web: TestClient) -> None:
        status = web.get("/status").json()
        assert (status["busy"], status["text"], status["share"]) == (False, "", None)


class TestCopies:
    def test_another_encoding_is_shown_side_by_side(self, site: Site, library: Path) -> None:
        assert "No video of this library is a copy" in copies_html(site, "vision", asked=False)
        source, copy = library / "red_blue.mp4", library / "other name.mkv"
        command = [toy_videos.ffmpeg(), "-v", "error", "-i", str(source), "-crf", "30", f"file:{copy}"]
        subprocess.run(command, check=True, capture_output=True)
        site.index.add(library)
        text = copies_html(site, "vision", asked=False)
        for part in ("The same video", "red_blue.mp4", "other name.mkv", 'data-start="0.000"', "/media/", "/piece/"):
            assert part in text
        assert text.count('data-action="play"') >= 2

    def test_a_large_library_has_to_be_asked(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vidembed.app.copies.MAX_AT_ONCE", 1)
        assert "Look for copies" in copies_html(site, "vision", asked=False)
        assert "No video of this library" in copies_html(site, "vision", asked=True)


class TestOpening:
    def test_the_page_takes_words_before_its_scripts_have_come(self, web: TestClient) -> None:
        page = web.get("/", headers={"Accept-Encoding": "gzip"})
        assert page.headers["content-encoding"] == "gzip"
        assert page.text.index('id="ve-opening"') < page.text.index("<gradio-app")
        assert 'href="/icon.svg"' in page.text
        assert web.get("/icon.svg").headers["content-type"] == "image/svg+xml"
        plain = web.get("/", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == page.text

    def test_scripts_are_kept_by_the_browser(self, web: TestClient) -> None:
        script = re.search(r'src="\./(assets/index-[^"]+\.js)"', web.get("/").text)
        assert script is not None
        assert "immutable" in web.get(f"/{script[1]}").headers["cache-control"]
        assert "immutable" not in web.get("/assets/no-such.js").headers.get("cache-control", "")


class TestPathFields:
    """Every field that could hold a path, as a program may fill it in that is no browser."""

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/passwd",
            "../../../../etc/passwd",
            "file:///etc/passwd",
            "/proc/self/environ",
            "http://127.0.0.1:1/x",
            7,
        ],
    )
    @pytest.mark.parametrize("field", ["image", "audio", "video"])
    def test_queries_take_uploads_only(self, web: TestClient, field: str, path: Any) -> None:
        said = press(web, "search", {field: {"path": path, "meta": {"_type": "gradio.FileData"}}})
        assert said == {"success": False, "why": "files have to be uploaded before they are used"}
        assert web.get("/healthz").text == "ok"

    def test_nor_files_of_the_library(self, web: TestClient, shared: VideoIndex) -> None:
        path = str(shared.path / "catalog.sqlite")
        assert press(web, "search", {"video": {"path": path, "meta": {"_type": "gradio.FileData"}}})["success"] is False

    def test_an_upload_may_be_used(self, web: TestClient, tmp_path: Path) -> None:
        import PIL.Image

        PIL.Image.new("RGB", (64, 48), (255, 0, 0)).save(tmp_path / "red.png")
        sent = web.post("/gradio_api/upload", files={"files": ("red.png", (tmp_path / "red.png").read_bytes())}).json()
        said = press(web, "search", {"image": {"path": sent[0], "meta": {"_type": "gradio.FileData"}}})
        assert "red_blue.mp4" in said["output"]["data"][0]

    def test_words_in_the_address_are_text(self, web: TestClient) -> None:
        assert "<script>alert(1)" not in web.get("/?q=<script>alert(1)</script>").text


def press(web: TestClient, function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Call a function of the page that has no public name, with its other inputs as they are at first."""
    config = web.get("/config").json()
    parts = {part["id"]: part for part in config["components"]}
    names = {"image": "ve-image", "audio": "ve-audio", "video": "ve-video"}
    found = next(d for d in config["dependencies"] if ("ve-go" in str([parts[t[0]]["props"].get("elem_id") for t in
                 d["targets"] if t[0] in parts])) == (function == "search") and d["inputs"])  # fmt: skip
    data = []
    for part in (parts[number] for number in found["inputs"]):
        field = next((name for name, own in names.items() if part["props"].get("elem_id") == own), "")
        data.append(given.get(field, part["props"].get("value")))
    body = {"fn_index": found["id"], "session_hash": "s", "data": data, "trigger_id": found["targets"][0][0]}
    answer = web.post("/gradio_api/queue/join", json=body)
    if answer.status_code == 403:
        return {"success": False, "why": answer.text}
    assert answer.status_code == 200
    said: dict[str, Any] = {}
    with web.stream("GET", "/gradio_api/queue/data?session_hash=s") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                said = dict(message)  # the stream is read to its end: left open, it complains when it is collected
    return said


def toy_videos_path(index: VideoIndex) -> str:
    return str(next(r.info.path for r in index.videos() if r.info.path.name == "red_blue.mp4"))


class TestLibrary:
    def test_the_table_names_state_lanes_and_failures(self, site: Site, library: Path) -> None:
        (library / "broken.mp4").write_text("no video\n" * 100)
        act(site, "folder", {"folder": str(library)})
        assert site.jobs.wait(60)
        text = table_html(site, "")
        for part in ("red_blue.mp4", "green.mp4", "broken.mp4", "ready", "failed", "Try again", "searchable by vision",
                     "has nothing for sound"):  # fmt: skip
            assert part in text
        assert str(library) not in text
        assert "broken.mp4" not in table_html(site, "green")
        assert "No such file" in table_html(site, "zebra")

    def test_retry_by_its_mark(self, site: Site, library: Path, films: Path) -> None:
        broken = library / "broken.mp4"
        broken.write_text("no video\n" * 100)
        act(site, "folder", {"folder": str(library)})
        assert site.jobs.wait(60)
        mark = table_html(site, "broken").partition('data-failure="')[2].partition('"')[0]
        toy_videos.make(broken, "white", hz=None)
        act(site, "retry", {"failure": mark})
        assert site.jobs.wait(60)
        assert any(r.info.path.name == "broken.mp4" and r.state == "ready" for r in site.index.videos())

    @pytest.mark.parametrize("action", ["retry", "remove", "nonsense"])
    def test_unknown_ids_do_nothing(self, site: Site, action: str) -> None:
        with pytest.raises(InputError):
            act(site, action, {"video": "../../etc", "failure": "x"})
        assert len(site.index.videos()) == 2


class TestCaptions:
    def test_a_persons_words_are_kept_found_and_downloaded(self, web: TestClient, guard: Guard) -> None:
        site, nasty = guard.site, "red <b>car</b> --> {{x}}"
        clip = site.index.search("red", k=1)[0].clip_id
        edit(site, clip, f"  {nasty}\n")
        video = site.index.clip(clip).video_id
        assert [(c.text, c.human) for c in site.index.captions(video)] == [(nasty, True)]
        assert "00:00:00,000 --> 00:00:02,000\nred ‹b›car‹/b› → {{x}}" in web.get(f"/captions/{video}.srt").text
        assert "red &lt;b&gt;car&lt;/b&gt;" in web.get(f"/captions/{video}.vtt").text
        record = json.loads(web.get(f"/captions/{video}.jsonl").text)
        assert (record["text"], record["path"]) == (nasty, "red_blue.mp4")

    @pytest.mark.parametrize("text", ["", "  \n", "x" * 1001])
    def test_empty_and_endless_are_refused(self, site: Site, text: str) -> None:
        with pytest.raises(InputError):
            edit(site, site.index.clips()[0].clip_id, text)

    def test_unknown_clips_and_no_captions(self, site: Site, web: TestClient, shared: VideoIndex) -> None:
        with pytest.raises(BadQuery):
            edit(site, "no-such-clip", "x")
        assert web.get(f"/captions/{video_named(shared, 'green.mp4')}.srt").status_code == 404


def test_originals_that_are_gone_are_said(site: Site, library: Path) -> None:
    video = video_named(site.index, "green.mp4")
    (library / "green.mp4").unlink()
    with pytest.raises(MediaNotFound):
        site.media.original(video)


def test_pieces_are_made_once_and_tidied(index: VideoIndex, tmp_path: Path) -> None:
    from vidembed.app.media import MediaFiles

    files = MediaFiles(index, tmp_path / "pieces", max_bytes=1)
    video = video_named(index, "green.mp4")
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(files.piece(video, 0.0)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    files.piece(video_named(index, "red_blue.mp4"), 0.0)
    assert len(list((tmp_path / "pieces").glob("*.mp4"))) == 1  # above the limit only the newest stays


def test_an_open_stream_does_not_hold_up_the_end(shared: VideoIndex) -> None:
    """Every open page listens to an event stream that never ends by itself."""
    import asyncio

    async def listening_for_ever(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"

    async def visit() -> None:
        guard = Guard(listening_for_ever, auth=None, hosts=None, max_body_bytes=100)
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            message = next(asked, None)
            return message if message is not None else await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "headers": []}
        visitor = asyncio.create_task(guard(scope, receive, receive))
        await asyncio.sleep(0)
        guard.end_streams()
        await asyncio.wait_for(visitor, 5)

    asyncio.run(visit())


def test_searching_an_empty_library_is_no_error(tmp_path: Path) -> None:
    with open_index(tmp_path / "index", profile="toy", overrides={"store.kind": "memory"}) as empty:
        made = Site(empty)
        assert run(made, Ask(text="red")).moments == ()
        made.close()


def test_a_video_taken_out_during_a_search_is_no_answer(
    index: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, real = video_named(index, "red_blue.mp4"), index.catalog.videos.paths_of
    monkeypatch.setattr(index.catalog.videos, "paths_of", lambda video_id: [] if video_id == gone else real(video_id))
    assert {moment.path.name for moment in index.search("red", k=5)} == {"green.mp4"}
