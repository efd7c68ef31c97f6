"""What frozen towers make of media and texts, computed once and kept on disk in chunks, so a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidembed.align.pairs import Pair
from vidembed.batching import encode_all
from vidembed.errors import EncodingError
from vidembed.files import replacing
from vidembed.protocols import Encoder
from vidembed.types import Failure, Floats, Item, Modality

T = TypeVar("T")
CHUNK = 256  # items per file of the cache: what an interruption can cost
MediaLoader = Callable[[Pair], Item]
Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


@runtime_checkable
class FeatureEncoder(Encoder, Protocol):
    """An encoder with richer features than its vectors, for heads of kind "attention"."""

    def features(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, T, F) float32 tokens; row i belongs to item i."""
        ...


def tower_name(encoder: Encoder) -> str:
    """What cached features are filed under: the space says which model and weights made them."""
    return f"{encoder.space.name}-{encoder.space.dim}-{type(encoder).__name__}"


def compute(encoder: Encoder, modality: Modality, items: Sequence[Item], *, tokens: bool) -> Floats:
    """(N, F) vectors, or (N, T, F) tokens where asked for."""
    if not tokens:
        return encoder.encode(modality, items)
    if not isinstance(encoder, FeatureEncoder):
        raise EncodingError(
            f"{encoder.space.name} gives no tokens, which an attention head needs", hint="use head 'mlp' or 'linear'"
        )
    return encoder.features(modality, items)


class FeatureCache:
    """Features by tower and item, as .npy files of up to CHUNK rows named by what is in them. No folder: no files."""

    def __init__(self, folder: Path | None, *, batch_size: int = 32) -> None:
        self.folder, self.batch_size = folder, batch_size

    def media(
        self,
        encoder: Encoder,
        modality: Modality,
        pairs: Sequence[Pair],
        load: MediaLoader,
        *,
        tokens: bool = False,
        progress: Progress | None = None,
    ) -> tuple[list[int], NDArray[np.float32], list[Failure]]:
        """(positions in `pairs` that worked, their features in that order, failures). A bad file costs only itself."""
        names = [_identity(pair) for pair in pairs]

        def work(batch: Sequence[Pair]) -> Sequence[NDArray[np.float32]]:
            return list(compute(encoder, modality, [load(pair) for pair in batch], tokens=tokens))

        return self._all(tower_name(encoder), f"{modality}-{tokens}", pairs, names, work, progress)

    def texts(self, encoder: Encoder, texts: Sequence[str], *, progress: Progress | None = None) -> Floats:
        """(N, F) vectors of the texts. Raises EncodingError when one cannot be encoded."""

        def work(batch: Sequence[str]) -> Sequence[NDArray[np.float32]]:
            return list(encoder.encode("text", batch))

        _, rows, failures = self._all(tower_name(encoder), "text", texts, list(texts), work, progress)
        if failures:
            raise EncodingError(f"{encoder.space.name} failed on the text {failures[0].item!r}: {failures[0].message}")
        return rows

    def _all(
        self,
        tower: str,
        kind: str,
        items: Sequence[T],
        names: Sequence[str],
        work: Callable[[Sequence[T]], Sequence[NDArray[np.float32]]],
        progress: Progress | None,
    ) -> tuple[list[int], NDArray[np.float32], list[Failure]]:
        positions: list[int] = []
        rows: list[NDArray[np.float32]] = []
        failures: list[Failure] = []
        for start in range(0, len(items), CHUNK):
            stop = min(start + CHUNK, len(items))
            path = self._path(tower, kind, names[start:stop])
            found = self._read(path, stop - start)
            if found is None:
                results = encode_all(
                    work, items[start:stop], names=names[start:stop], stage=f"align:{kind}", batch_size=self.batch_size
                )
                good = [i for i, r in enumerate(results) if not isinstance(r, Failure)]
                failures += [r for r in results if isinstance(r, Failure)]
                values = np.stack([cast("NDArray[np.float32]", results[i]) for i in good]) if good else None
                if values is not None and len(good) == len(results):  # chunks with failures are tried again next time
                    self._write(path, values)
            else:
                good, values = list(range(stop - start)), found
            if values is not None:
                rows.append(values)
                positions += [start + i for i in good]
            if progress is not None:
                progress(f"{kind.split('-')[0]} features", stop, len(items))
        features = np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)
        return positions, features.astype(np.float32, copy=False), failures

    def _path(self, tower: str, kind: str, names: Sequence[str]) -> Path | None:
        if self.folder is None:
            return None
        digest = hashlib.blake2b(json.dumps([tower, kind, *names]).encode(), digest_size=16).hexdigest()
        return self.folder / f"{digest}.npy"

    @staticmethod
    def _read(path: Path | None, n: int) -> NDArray[Any] | None:
        """The chunk, or None when it is absent or damaged (then it is computed again)."""
        if path is None:
            return None
        try:
            rows = np.load(path, allow_pickle=False)
        except Exception:  # numpy has many for what is cut short or damaged
            return None
        return rows if len(rows) == n and np.isfinite(rows).all() else None

    @staticmethod
    def _write(path: Path | None, rows: NDArray[np.float32]) -> None:
        if path is None:
            return
        with replacing(path) as part:
            np.save(part, rows, allow_pickle=False)


def _identity(pair: Pair) -> str:
    """Path, size, time of change and span: an edited file is computed again."""
    stat = pair.path.stat()
    return "|".join([*pair.key, str(stat.st_size), str(stat.st_mtime_ns)])
