#!/usr/bin/env bash
# A tool of the mcp SDK's FastMCP that takes "text: str | None" does not get every text: what happens to be JSON is read first. "null"
# arrives as None, "[1]" and '{"a": 1}' are refused as "not a valid string", while "12" and "true" stay texts. A plain
# "text: str" gets all of them. An agent that looks for [1] or null in a transcript finds everything, or an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mcp==1.30.0
venv/bin/python - <<'PY'
import asyncio
from importlib.metadata import version

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError

print("mcp", version("mcp"))
server = FastMCP("search")


@server.tool()
def plain(text: str) -> str:
    return repr(text)


@server.tool()
def optional(text: str | None = None) -> str:
    return repr(text)


async def told(tool, text):
    try:
        _, structured = await server.call_tool(tool, {"text": text})
        return structured["result"]
    except ToolError as error:
        return "refused" if "valid string" in str(error) else str(error)


seen = {}
for text in ("12", "true", "null", "[1]", '{"a": 1}'):
    seen[text] = [asyncio.run(told(tool, text)) for tool in ("plain", "optional")]
    print(f"the text {text:9} str: {seen[text][0]:12} str | None: {seen[text][1]}")
assert all(told[0] == repr(text) for text, told in seen.items())
assert [told[1] for told in seen.values()] == ["'12'", "'true'", "None", "refused", "refused"]
PY
