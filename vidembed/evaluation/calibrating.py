"""Curves of confidence fitted to a person's own questions and saved with their index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vidembed.errors import InputError
from vidembed.evaluation.dataset import DataSet
from vidembed.evaluation.run import evaluate, models_of
from vidembed.evaluation.trust import LEAST_ANSWERS, Fitted
from vidembed.evaluation.trust import calibrate as fitted
from vidembed.search.confidence import save_curves

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex


def calibrate_index(index: VideoIndex, dataset: DataSet, *, channels: Sequence[str] | None = None) -> dict[str, Fitted]:
    """Ask the queries, fit a curve to each kind of them, and save the curves with a card in the index's folder.

    Raises:
        InputError: No kind of query has answers enough, right and wrong ones.
    """
    used = index.parts.searcher.curves
    report = evaluate(index, dataset, channels=channels)
    found = fitted(report.queries, used.kinds)
    if not found:
        raise InputError(
            f"{len(report.queries)} queries are too few: a curve needs {LEAST_ANSWERS} first answers of one kind "
            "(text, picture or sound), right and wrong ones",
            hint='add queries, and some that nothing answers: {"text": "...", "no_answer": true}',
        )
    card = {
        "queries": dataset.name,
        "fitted": calibration_card(found),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "profile": index.config.profile,
        "channels": list(channels) if channels else None,
        "models": {name: facts["collection"] for name, facts in models_of(index).items()},
    }
    save_curves(index.path, {**used.kinds, **{kind: one.curve for kind, one in found.items()}}, card)
    return found


def calibration_card(found: Mapping[str, Fitted]) -> dict[str, Any]:
    """What was fitted, as plain JSON values."""
    return {kind: asdict(one) for kind, one in found.items()}
