"""Captions: candidates are proposed by a captioner, chosen by embeddings, written as subtitles, JSONL or sidecars."""
