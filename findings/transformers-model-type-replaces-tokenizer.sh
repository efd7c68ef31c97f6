#!/usr/bin/env bash
# transformers 5.24: AutoTokenizer takes a saved tokenizer as it is beside a config.json of model_type qwen3, qwen3_vl or llama,
# or without one. Beside model_type qwen2, qwen3_5 or siglip2 it takes the vocabulary alone and puts that model's own
# splitting in the place of what was saved: the same files, the same text, other tokens, and no word of warning.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q transformers==5.24.0 tokenizers==0.23.3
venv/bin/python - 2>/dev/null <<'PY'
import json
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

words = ["<pad>", "<unk>", "</s>", "a", "red", "car", "yes"]
plain = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
plain.pre_tokenizer = pre_tokenizers.Whitespace()
saved = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")
print("transformers", version("transformers"))
right = saved.encode("a red car yes")
print(f"{'as saved':10} {right}")
found = {}
for kind in (None, "llama", "qwen3", "qwen3_vl", "qwen2", "qwen3_5", "siglip2"):
    folder = Path(f"model-{kind}")
    saved.save_pretrained(folder)
    if kind is not None:
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found[kind] = tokenizer.encode("a red car yes")
    print(f"{kind!s:10} {found[kind]} {type(tokenizer).__name__}")
kept = {kind for kind, tokens in found.items() if tokens == right}
raise SystemExit(kept != {None, "llama", "qwen3", "qwen3_vl"})
PY
