#!/usr/bin/env bash
# Chroma 1.5.9: upsert of an id that is there takes the new vector and the new text, but joins the new metadata with the old: a key
# that the new record no longer has stays. A clip indexed anew without the tag "blurred" is still found by it. Only delete and
# add take it away (or the key set to None).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q chromadb==1.5.9
ANONYMIZED_TELEMETRY=False venv/bin/python - <<'PY'
import chromadb

print("chromadb", chromadb.__version__)
clips = chromadb.EphemeralClient().create_collection("clips")
clips.upsert(ids=["a"], embeddings=[[1, 0]], documents=["a dog"], metadatas=[{"blurred": True, "start_s": 0}])
clips.upsert(ids=["a"], embeddings=[[0, 1]], documents=["a cat"], metadatas=[{"start_s": 2}])
now = clips.get(include=["embeddings", "documents", "metadatas"])
print("after the second upsert:", now["documents"], now["embeddings"].tolist(), now["metadatas"])
assert now["documents"] == ["a cat"] and now["embeddings"].tolist() == [[0, 1]]
assert now["metadatas"] == [{"blurred": True, "start_s": 2}]
assert clips.get(where={"blurred": True})["ids"] == ["a"]
clips.upsert(ids=["a"], embeddings=[[0, 1]], metadatas=[{"blurred": None}])
assert clips.get()["metadatas"] == [{"start_s": 2}]
PY
