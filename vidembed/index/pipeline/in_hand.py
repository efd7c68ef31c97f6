"""The files that a run is decoding, noted on disk, so that the next run knows which of them may have ended it.

A decoder that crashes takes its process with it, and nothing in the process can say so. So each file is noted before
its decoder is opened, and the note is removed afterwards. Notes that are left over name the suspects: the next run
decodes those files in a child process (`media.reading.isolated`), where a crash costs the file alone. A note costs
about 0.1 ms; a child process for every file would cost a tenth of the indexing time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vidembed.config.schema import MediaSettings
from vidembed.errors import DecoderCrashed, StoreUnavailable
from vidembed.types import Failure


class InHand:
    """Notes of the files in hand.

    Attributes:
        suspects: The files that an earlier run was decoding when its process died, and those that crashed a decoder.
    """

    def __init__(self, folder: Path, failures: Iterable[Failure] = ()) -> None:
        """Read what is left over.

        Args:
            folder: Where the notes are; made when the first one is written.
            failures: Of earlier runs: a file that crashed a decoder is tried again, as `--watch` does all the time.
        """
        self._folder = folder
        found = []
        for note in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):  # another process that is alive, as `--watch` is, is done with its file
                found.append(Path(note.read_text(encoding="utf-8", errors="surrogateescape")))
        found += [Path(failure.item) for failure in failures if failure.kind == DecoderCrashed.__name__]
        self.suspects = frozenset(found)

    def media(self, path: Path, given: MediaSettings) -> MediaSettings:
        """The settings to decode a file with: a suspect is decoded apart, unless they say never to."""
        apart = given.isolate == "crashed" and path in self.suspects
        return given.model_copy(update={"isolate": "always"}) if apart else given

    @contextmanager
    def hold(self, path: Path) -> Iterator[None]:
        """Note the file for as long as the block runs.

        Raises:
            StoreUnavailable: The note cannot be written.
        """
        name = str(path).encode(errors="surrogateescape")
        note = self._folder / hashlib.blake2b(name, digest_size=16).hexdigest()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            note.write_bytes(name)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write to the index folder {self._folder.parent}: {error.strerror or error}",
                hint="is the disk full?",
            ) from error
        try:
            yield
        finally:
            note.unlink(missing_ok=True)
