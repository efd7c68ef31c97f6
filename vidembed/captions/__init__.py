"""Captions: a captioner proposes candidates, embeddings choose, and they are exported as records and subtitles."""
