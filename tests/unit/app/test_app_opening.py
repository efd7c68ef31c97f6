"""The page before its scripts have come."""

from __future__ import annotations

import re

from starlette.testclient import TestClient


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

    def test_links_to_it_are_named_by_what_it_is(self, web: TestClient) -> None:
        text = web.get("/").text
        assert '<meta property="og:title" content="vidembed">' in text
        assert not re.search(r"<meta[^>]*Gradio", text)

    def test_scripts_are_kept_by_the_browser(self, web: TestClient) -> None:
        script = re.search(r'src="\./(assets/index-[^"]+\.js)"', web.get("/").text)
        assert script is not None
        assert "immutable" in web.get(f"/{script[1]}").headers["cache-control"]
        assert "immutable" not in web.get("/assets/no-such.js").headers.get("cache-control", "")
