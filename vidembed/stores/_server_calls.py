"""Calls to a Qdrant server: tried again while it does not answer, its exceptions mapped to ours.

no connection, timeout, 429, 502-504, gRPC UNAVAILABLE ...   tried again, then StoreUnavailable
401, 403, gRPC UNAUTHENTICATED, PERMISSION_DENIED            StoreUnavailable, hint about the key
507, "No space left"                                         StoreUnavailable
all else                                                     StoreError
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from vidembed.errors import StoreError, StoreUnavailable

R = TypeVar("R")

_BUSY_HTTP = {429, 502, 503, 504}
_BUSY_GRPC = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
_LONGEST_WAIT_S = 10.0


def call(work: Callable[[], R], action: str, *, retries: int, backoff_s: float) -> R:
    """work(), at most `retries` times more when the server does not answer. All our calls may run twice safely."""
    for attempt in range(retries + 1):
        try:
            return work()
        except (ApiException, ResourceExhaustedResponse, ValueError, RuntimeError) as error:
            failure: Exception = error
        except Exception as error:
            if _grpc_code(error) is None:
                raise
            failure = error
        if not _busy(failure) or attempt == retries:
            raise _ours(failure, action) from failure
        pause = max(backoff_s * 2**attempt, float(getattr(failure, "retry_after_s", 0) or 0))
        time.sleep(min(pause, _LONGEST_WAIT_S))
    raise AssertionError("unreachable")


def _busy(error: Exception) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code in _BUSY_HTTP
    return isinstance(error, ResponseHandlingException | ResourceExhaustedResponse) or _grpc_code(error) in _BUSY_GRPC


def _ours(error: Exception, action: str) -> StoreError:
    status = error.status_code if isinstance(error, UnexpectedResponse) else None
    code = _grpc_code(error)
    if status in (401, 403) or code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return StoreUnavailable(
            f"{action}: the server refused the API key", hint="name the variable that holds it in store.api_key_env"
        )
    if status == 507 or "No space left" in str(error):
        return StoreUnavailable(f"{action}: the server's disk is full", hint="free space on the server and run again")
    if _busy(error):
        return StoreUnavailable(
            f"{action}: no answer ({_short(error)})",
            hint="is the server up? start one with: docker run -p 6333:6333 qdrant/qdrant",
        )
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
