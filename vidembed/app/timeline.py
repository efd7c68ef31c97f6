"""The strip under the player: how well each second of the video fits, with the moments marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidembed.app.html import clock, e
from vidembed.types import Moment

WIDTH, HEIGHT = 1000, 80
_MAX_POINTS = 600


def strip(
    times_s: NDArray[np.float64], scores: NDArray[np.float64], duration_s: float, moments: Sequence[Moment]
) -> str:
    """HTML of the strip. scores: 0 is the background level; moments: the answers in this video."""
    duration_s = max(duration_s, 0.001)
    shape = _area(times_s, scores, duration_s)
    marks = "".join(
        f'<button type="button" class="ve-mark" data-action="seek" data-time="{moment.span.start_s:.3f}" '
        f'data-end="{moment.span.end_s:.3f}" style="left:{100 * moment.span.start_s / duration_s:.3f}%;'
        f'width:{100 * moment.span.duration_s / duration_s:.3f}%" '
        f'aria-label="{e(f"Go to {clock(moment.span.start_s)}, {moment.confidence:.0%} sure")}" '
        f'title="{e(f"{clock(moment.span.start_s)} – {clock(moment.span.end_s)}, {moment.confidence:.0%}")}"></button>'
        for moment in sorted(moments, key=lambda moment: moment.span)
    )
    return (
        f'<div class="ve-strip" data-duration="{duration_s:.3f}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="How well each part of the video fits the search"><path d="{shape}"/></svg>'
        f'{marks}<div class="ve-head" aria-hidden="true"></div></div>'
        f'<div class="ve-ends"><span>0:00</span><span>{e(clock(duration_s))}</span></div>'
    )


def _area(times_s: NDArray[np.float64], scores: NDArray[np.float64], duration_s: float) -> str:
    """The filled curve as an SVG path; what is below the background level counts as nothing."""
    if len(times_s) == 0:
        return f"M0,{HEIGHT}L{WIDTH},{HEIGHT}Z"
    times, heights = thin(np.asarray(times_s), np.maximum(np.asarray(scores), 0.0))
    top = max(float(heights.max()), 1e-9)
    xs = np.clip(times / duration_s, 0, 1) * WIDTH
    ys = HEIGHT - heights / top * (HEIGHT - 6)
    points = "L".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs.tolist(), ys.tolist(), strict=True))
    return f"M{xs[0]:.1f},{HEIGHT}L{points}L{xs[-1]:.1f},{HEIGHT}Z"


def thin(times_s: NDArray[np.float64], heights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most a few hundred points; of each stretch the highest stays, so that no peak is lost."""
    if len(times_s) <= _MAX_POINTS:
        return times_s, heights
    parts = np.array_split(np.arange(len(times_s)), _MAX_POINTS)
    best = np.array([part[np.argmax(heights[part])] for part in parts])
    return times_s[best], heights[best]
