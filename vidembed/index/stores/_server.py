"""The Qdrant server's own words: collection settings, filters, search parameters.

Calls to a Qdrant server: tried again while it does not answer, its exceptions mapped to ours.

no connection, timeout, 429, 502-504, gRPC UNAVAILABLE ...   tried again, then StoreUnavailable
401, 403, gRPC UNAUTHENTICATED, PERMISSION_DENIED            StoreUnavailable, hint about the key and what it may
507, "No space left"                                         StoreUnavailable
all else                                                     StoreError
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

import vidembed.index.stores._points as _points
from vidembed.errors import ConfigError, StoreError, StoreUnavailable
from vidembed.index.stores._points import DENSE, OVERSAMPLING, UNITS, WORDS, uuids
from vidembed.types import Row, Space, Where

_log = logging.getLogger(__name__)

# Without links of the graph for each stretch of time: they take two to three times as long as the graph itself.
_TIME = models.FloatIndexParams(type=models.FloatIndexType.FLOAT, enable_hnsw=False)
PAYLOAD_INDEXES: dict[str, models.PayloadSchemaType | models.FloatIndexParams] = {
    "video_id": models.PayloadSchemaType.KEYWORD,
    "start_s": _TIME,
    "end_s": _TIME,
}


def quantization_config(name: str | None) -> models.QuantizationConfig | None:
    """The server's settings for a preset; ConfigError for an unknown one."""
    if name is None:
        return None
    if name == "scalar":
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        return models.ScalarQuantization(scalar=scalar)
    if name == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    bits = {
        "turbo1": models.TurboQuantBitSize.BITS1,
        "turbo2": models.TurboQuantBitSize.BITS2,
        "turbo4": models.TurboQuantBitSize.BITS4,
    }
    if name not in bits:
        raise ConfigError(
            f"store.quantization: unknown preset {name!r}", hint=f"allowed: none, {', '.join(OVERSAMPLING)}"
        )
    turbo = models.TurboQuantQuantizationConfig(bits=bits[name], always_ram=True)
    return models.TurboQuantization(turbo=turbo)


def vector_settings(
    space: Space, *, codes: models.QuantizationConfig | None
) -> tuple[dict[str, models.VectorParams], dict[str, models.SparseVectorParams] | None]:
    """Dense and sparse settings of a new collection.

    Units are read by id, or all of them are compared with a query, so no graph is built for them.
    """
    if space.kind == "sparse":
        return {}, {WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)}
    clip = models.VectorParams(
        size=space.dim,
        distance=models.Distance.COSINE,
        quantization_config=codes,
        on_disk=codes is not None,  # with codes in memory the originals are only read to score again
    )
    segments = models.VectorParams(
        size=space.dim,
        distance=models.Distance.DOT,  # unit rows already; cosine would change float16's last bit
        datatype=models.Datatype.FLOAT16,
        on_disk=True,
        hnsw_config=models.HnswConfigDiff(m=0),
        multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
    )
    return {DENSE: clip, UNITS: segments}, None


def space_of(info: models.CollectionInfo, name: str) -> Space:
    """The space a collection was made for. Servers before 1.16 keep no metadata: the space's name is then empty."""
    params = info.config.params
    entry: dict[str, Any] = (info.config.metadata or {}).get("vidembed") or {}
    title = str(entry.get("space", ""))
    if params.sparse_vectors and WORDS in params.sparse_vectors:
        return Space(title, 0, "sparse")
    if isinstance(params.vectors, dict) and DENSE in params.vectors:
        return Space(title, params.vectors[DENSE].size, entry.get("kind", "dense"))
    raise StoreError(f"collection {name!r} was not made by vidembed", hint="choose another store.namespace")


def search_params(quantization: str | None, *, hnsw_ef: int) -> models.SearchParams:
    """How dense vectors are searched: graph breadth, and exact scores for what the codes found."""
    # Said even without codes of our own: the collection may have been made with some.
    oversampling = OVERSAMPLING[quantization] if quantization is not None else None
    codes = models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
    return models.SearchParams(hnsw_ef=hnsw_ef, quantization=codes)


def word_params() -> models.SearchParams:
    """IDF over the clips that are there now; the server's shortcut also counts deleted ones until it merges."""
    return models.SearchParams(idf=models.IdfCorpusParams(corpus=models.Filter()))


def filter_of(where: Where | None, *, with_videos: bool = True) -> models.Filter | None:
    """The server's form of a `Where`; with_videos=False leaves the list of videos to the caller."""
    if where is None:
        return None
    must: list[models.Condition] = []
    if where.video_ids is not None and with_videos:
        must.append(models.FieldCondition(key="video_id", match=models.MatchAny(any=sorted(where.video_ids))))
    if where.within is not None:
        must.append(models.FieldCondition(key="start_s", range=models.Range(lt=where.within.end_s)))
        must.append(models.FieldCondition(key="end_s", range=models.Range(gt=where.within.start_s)))
    ids: list[Any] = [str(i) for i in uuids(sorted(where.not_clips))]
    if not must and not ids:
        return None
    return models.Filter(must=must or None, must_not=[models.HasIdCondition(has_id=ids)] if ids else None)


def connect(url: str, api_key: str | None, grpc_port: int | None, timeout_s: int) -> QdrantClient:
    """A client of the server; over gRPC where its port is given."""
    # The key goes as a header: as api_key, the client warns of http:// on loopback, too.
    secret: dict[str, Any] = {"headers": {"api-key": api_key}, "https": True} if api_key else {}
    host = (urlsplit(url).hostname or "") if url.startswith("http://") else ""
    if api_key and host and host != "localhost" and not host.startswith("127.") and host != "::1":
        _log.warning("the API key goes to %s unencrypted; https:// in store.url would encrypt it", host)
    if grpc_port is not None:
        secret |= {"prefer_grpc": True, "grpc_port": grpc_port}
    return QdrantClient(url=url, timeout=timeout_s, check_compatibility=False, **secret)


R = TypeVar("R")

_BUSY_HTTP = {429, 502, 503, 504}
_BUSY_GRPC = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
_LONGEST_WAIT_S = 10.0
_LIMITS = "limits of the server (strict mode): raise them there"


def call(
    work: Callable[[], R], action: str, waits_s: Sequence[float], *, too_late: Callable[[], None] = lambda: None
) -> R:
    """work(), tried again after each wait while the server does not answer. All our calls may run twice safely.

    too_late: Called before the next try when the server took the call and did not answer in time.
    """
    for wait_s in (*waits_s, None):
        try:
            return work()
        except (ApiException, ResourceExhaustedResponse, ValueError, RuntimeError) as error:
            failure: Exception = error
        except Exception as error:
            if _grpc_code(error) is None:
                raise
            failure = error
        if wait_s is None or not _busy(failure):
            raise _ours(failure, action) from failure
        if _late(failure):
            too_late()
        asked_s = float(getattr(failure, "retry_after_s", 0) or 0)
        time.sleep(min(max(wait_s, asked_s), _LONGEST_WAIT_S))
    raise AssertionError("unreachable")


def _busy(error: Exception) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code in _BUSY_HTTP
    return isinstance(error, ResponseHandlingException | ResourceExhaustedResponse) or _grpc_code(error) in _BUSY_GRPC


def _late(error: Exception) -> bool:
    source = getattr(error, "source", None)  # the client wraps what httpx raises
    return type(source).__name__ in ("ReadTimeout", "WriteTimeout") or _grpc_code(error) == "DEADLINE_EXCEEDED"


def _ours(error: Exception, action: str) -> StoreError:
    status = error.status_code if isinstance(error, UnexpectedResponse) else None
    code = _grpc_code(error)
    if status == 403 or code == "PERMISSION_DENIED":
        return StoreUnavailable(
            f"{action}: the server refused this to the API key",
            hint="the key may only read, or only other collections: name a variable with another in store.api_key_env",
        )
    if status == 401 or code == "UNAUTHENTICATED":
        return StoreUnavailable(
            f"{action}: the server refused the API key", hint="name the variable that holds it in store.api_key_env"
        )
    if status == 507 or "No space left" in str(error):
        return StoreUnavailable(f"{action}: the server's disk is full", hint="free space on the server and run again")
    if "rate limit" in str(error).lower():
        return StoreUnavailable(f"{action}: {_short(error)}", hint=_LIMITS)
    if _busy(error):
        return StoreUnavailable(
            f"{action}: no answer ({_short(error)})",
            hint="is the server up? start one with: docker run -p 6333:6333 qdrant/qdrant",
        )
    if ". Help: " in str(error):  # strict mode and quotas: the server's own words for what it would allow
        return StoreError(f"{action}: {_short(error)}", hint=_LIMITS)
    return StoreError(f"{action}: {_short(error)}")


def _grpc_code(error: Exception) -> str | None:
    """The name of a gRPC status, without importing grpc where it is not used."""
    code = getattr(error, "code", None)
    name = getattr(code() if callable(code) else None, "name", None)
    return name if isinstance(name, str) else None


def _short(error: Exception) -> str:
    details = getattr(error, "details", None)
    text = str(details() if callable(details) else error) or type(error).__name__
    return " ".join(text.split())[:300]


def row_of(record: models.Record) -> Row:
    """The row of a point that was read."""
    vectors: Any = record.vector or {}
    return _points.row_of(str(record.id), record.payload or {}, vectors)
