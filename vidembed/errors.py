"""Everything vidembed raises on purpose.

VidembedError(message, *, hint)        exit code  meaning
├─ InputError                          2          the thing given is wrong
│  ├─ MediaNotFound                               no such file or folder
│  ├─ MediaUnreadable                             damaged, refused or not media at all
│  │  └─ DecoderCrashed                           decoded in a process of its own, which it crashed
│  ├─ NoSuchStream                                the file has no picture / no sound
│  ├─ BadQuery                                    empty text, undecodable image, modality nobody understands
│  └─ ConfigError                                 dotted path, value, what is allowed, where it came from
├─ ModelError                          4          the model side cannot work
│  ├─ UnknownModel                                names close ones
│  ├─ WeightsMissing                              the folder looked in, the command to run
│  ├─ EndpointRefused                             not reachable, or it refuses the key or the model
│  ├─ MissingDependency                           names the extra to install
│  └─ EncodingError                               wrong shape, not finite, zero row
└─ StoreError                          4          the index cannot be used
   ├─ IndexMismatch                               made with another model, revision, setting or format
   ├─ IndexBusy                                   another process holds the folder
   └─ StoreUnavailable                            server not reachable, disk full, damaged segment

Exit codes: 0 all done; 3 done, some items failed; 1 a bug (traceback shown).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class VidembedError(Exception):
    """Base of all our errors: `message` says what was wrong and what is allowed, `hint` what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    @property
    def sentences(self) -> str:
        """Message and hint, one after the other."""
        return f"{self.message}. {self.hint}".rstrip(". ")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by the default pickling; workers send errors between processes.
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[VidembedError], message: str, hint: str) -> VidembedError:
    return kind(message, hint=hint)


class InputError(VidembedError):
    """The thing given is wrong."""

    exit_code = 2


class MediaNotFound(InputError):
    """No such file or folder."""


class MediaUnreadable(InputError):
    """The file is damaged, of a refused kind, or no media file."""


class DecoderCrashed(MediaUnreadable):
    """A decoder in a process of its own crashed on the file."""


class NoSuchStream(InputError):
    """The file lacks the picture or the sound that was asked for."""


class BadQuery(InputError):
    """The query is empty, undecodable, or of a modality no channel understands."""


class ConfigError(InputError):
    """A setting is unknown or out of bounds."""


class ModelError(VidembedError):
    """The model side cannot work."""

    exit_code = 4


class UnknownModel(ModelError):
    """No model of that name."""


class WeightsMissing(ModelError):
    """The weights are not where they were looked for, or are not whole."""


class EndpointRefused(ModelError):
    """A model's server is not reachable, or refuses the key or the model: every further request would fail alike."""


class MissingDependency(ModelError):
    """An optional package is not installed."""


class EncodingError(ModelError):
    """An encoder returned the wrong shape, a non-finite value or a zero row."""


class StoreError(VidembedError):
    """The index cannot be used."""

    exit_code = 4


class IndexMismatch(StoreError):
    """The index was made with another model, revision, setting or format."""


class IndexBusy(StoreError):
    """Another process has the index open."""


class StoreUnavailable(StoreError):
    """The vector store does not answer or cannot write."""


# Nobody's item: the next one would fail the same way, so a run over many items stops at once.
FATAL = (ConfigError, StoreError, UnknownModel, WeightsMissing, EndpointRefused, MissingDependency)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint naming the closest known names, or the full list when none is close."""
    from difflib import get_close_matches  # which takes a millisecond of each command

    options = sorted(known)
    close = get_close_matches(name, options, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(options)}"


def missing_dependency(module: str, *, extra: str, purpose: str) -> MissingDependency:
    """The error for a package that an extra brings; raise it `from` the ImportError."""
    return MissingDependency(
        f"{purpose} needs the package {module!r}, which is not installed",
        hint=f"pip install 'vidembed[{extra}]'",
    )


@contextmanager
def needs(module: str, *, extra: str, purpose: str) -> Iterator[None]:
    """A block that imports a package of an extra. Raises MissingDependency where it is not installed."""
    try:
        yield
    except ImportError as error:
        raise missing_dependency(module, extra=extra, purpose=purpose) from error
