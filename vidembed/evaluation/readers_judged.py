"""Whole videos judged for queries, some of them for many: MultiVENT 2.0."""

from __future__ import annotations

from pathlib import Path

from vidembed.errors import InputError
from vidembed.evaluation.annotations import csv_records, jsonl_records
from vidembed.evaluation.dataset import Answer, DataSet, EvalQuery, MediaFolder

_JUDGMENTS, _QUERIES = "judgments.jsonl", "queries.csv"


def multivent(file: Path, media: MediaFolder, split: str) -> DataSet:
    """JSONL: {query_id, doc_id, relevance}; beside it the queries as CSV with the columns Query_id and query.

    What is judged irrelevant, or not judged, counts as wrong. A query without a relevant video asks for nothing that
    can be measured: it is left out, as by trec_eval.
    """
    if not file.name.endswith(_JUDGMENTS):
        raise InputError(f"{file} is not a file of judgments", hint=f"give multivent_2_train_{_JUDGMENTS}")
    beside = file.with_name(file.name.removesuffix(_JUDGMENTS) + _QUERIES)
    texts = {record.key("Query_id"): record.text("query") for record in csv_records(beside)}
    relevance: dict[str, dict[str, float]] = {}
    files: dict[str, Path | None] = {}
    for record in jsonl_records(file):
        query, video = record.key("query_id"), record.key("doc_id")
        if query not in texts:
            raise record.wrong(f"unknown query {query!r}: it is not in {beside.name}")
        if video in relevance.setdefault(query, {}):
            raise record.wrong(f"{video!r} is judged twice for {query!r}")
        files.setdefault(video, media.find(video))
        relevance[query][video] = record.number("relevance")
    queries = []
    for query, judged in relevance.items():
        answers = tuple(Answer(video) for video, grade in judged.items() if grade > 0)
        if answers:
            queries.append(EvalQuery(query, "text", texts[query], answers, relevance=judged))
    return DataSet("", "", tuple(queries), files)
