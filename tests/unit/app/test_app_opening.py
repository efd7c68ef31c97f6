"""The page before its scripts have come."""

from __future__ import annotations

import io
import re

import PIL.Image
from starlette.testclient import TestClient


class TestOpening:
    def test_the_page_takes_words_before_its_scripts_have_come(self, web: TestClient) -> None:
        page = web.get("/", headers={"Accept-Encoding": "gzip"})
        assert page.headers["content-encoding"] == "gzip"
        assert page.text.index('id="ve-opening"') < page.text.index("<gradio-app")
        assert '<form><input type="search" name="q" ' in page.text  # sent before the script is there it is an address
        assert 'href="/icon.svg"' in page.text
        assert web.get("/icon.svg").headers["content-type"] == "image/svg+xml"
        plain = web.get("/", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == page.text

    def test_links_to_it_are_named_by_what_it_is(self, web: TestClient) -> None:
        text = web.get("/").text
        assert '<meta property="og:title" content="vidembed">' in text
        assert not re.search(r"<meta[^>]*Gradio", text)
        assert '<meta property="og:image" content="http://127.0.0.1/preview.png">' in text
        shown = PIL.Image.open(io.BytesIO(web.get("/preview.png").content))
        assert (shown.format, shown.size) == ("PNG", (1200, 630))

    def test_a_link_to_a_moment_shows_its_frame(self, web: TestClient) -> None:
        video = "0123456789abcdef" * 2
        text = web.get(f"/?v={video}&t=12.5").text
        assert f'<meta property="og:image" content="http://127.0.0.1/frame/{video}?at=12.5">' in text
        for odd in ("v=x&t=1", f"v={video}&t=%22%3E"):
            assert "/preview.png" in web.get(f"/?{odd}").text

    def test_scripts_are_kept_by_the_browser(self, web: TestClient) -> None:
        script = re.search(r'src="\./(assets/index-[^"]+\.js)"', web.get("/").text)
        assert script is not None
        assert "immutable" in web.get(f"/{script[1]}").headers["cache-control"]
        assert "immutable" not in web.get("/assets/no-such.js").headers.get("cache-control", "")
