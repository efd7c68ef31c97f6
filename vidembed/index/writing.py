"""Captions that people bring: which clip of the index each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vidembed.captions.by_hand import Imported, Written, by_person, over_clips, read_captions
from vidembed.errors import BadQuery, InputError, MediaNotFound
from vidembed.index.catalog import Catalog
from vidembed.index.contents import one_video
from vidembed.types import Caption, Clip, Failure

Save = Callable[[Sequence[Caption]], list[Caption]]


def import_captions(catalog: Catalog, file: Path, video: str | Path | None, save: Save) -> Imported:
    """See `VideoIndex.import_captions`. save: `VideoIndex.save_captions`."""
    lines = read_captions(file)
    texts, by_model, left_out = _placed(catalog, file, lines, video)
    if not texts:
        raise InputError(f"{file}: no caption in it belongs to a clip of this index: {left_out[0].message}")
    clips = catalog.videos.clips_by_id(texts)
    held = catalog.captions.of_many(texts)
    new = {
        clip_id: text for clip_id, text in texts.items() if not _is_kept(held.get(clip_id), text, clip_id in by_model)
    }
    saved = save([by_person(clips[clip_id], text, held.get(clip_id)) for clip_id, text in new.items()])
    return Imported(tuple(saved), len(texts) - len(new), tuple(left_out))


def write_captions(catalog: Catalog, texts: Mapping[str, str], save: Save) -> list[Caption]:
    """See `VideoIndex.write_captions`. save: `VideoIndex.save_captions`."""
    clips, held = catalog.videos.clips_by_id(texts), catalog.captions.of_many(texts)
    unknown = [clip_id for clip_id in texts if clip_id not in clips]
    if unknown:
        raise BadQuery(f"no clip {unknown[0]!r} in this index", hint="clip ids are in the results of a search")
    return save([by_person(clips[clip_id], text, held.get(clip_id)) for clip_id, text in texts.items()])


def _is_kept(held: Caption | None, text: str, by_model: bool) -> bool:
    """Whether the clip says so already, by a person or, in a file that says the same of it, by a model."""
    return held is not None and held.text == text and (held.human or by_model)


def _placed(
    catalog: Catalog, file: Path, lines: Sequence[Written], video: str | Path | None
) -> tuple[dict[str, str], set[str], list[Failure]]:
    """(clip id -> text, clips whose text a model wrote as the file says, what belongs to no clip)."""
    known = catalog.videos.clips_by_id(line.clip_id for line in lines if line.clip_id)
    texts = {line.clip_id: line.text for line in lines if line.clip_id in known}
    by_model = {line.clip_id for line in lines if line.clip_id in known and line.by_model}
    left_out = []
    rest: dict[str, list[Written]] = {}
    for line in (line for line in lines if line.clip_id not in known):
        try:
            rest.setdefault(_video_of(catalog, file, line, video), []).append(line)
        except MediaNotFound as error:
            left_out.append(Failure(line.source, "import", type(error).__name__, error.message, error.hint))
    for video_id, timed in rest.items():
        clips = catalog.videos.clips(video_id)
        laid, lost = over_clips(clips, [line for line in timed if line.span is not None])
        texts |= {clip_id: " ".join(line.text for line in own) for clip_id, own in laid.items()}
        by_model |= {clip_id for clip_id, own in laid.items() if all(line.by_model for line in own)}
        for line in lost:
            left_out.append(_beyond(line, clips))
    return texts, by_model, left_out


def _video_of(catalog: Catalog, file: Path, line: Written, video: str | Path | None) -> str:
    """The id of the line's video: the one that is named, that the line names, or that the file is named after."""
    if line.span is None:
        raise MediaNotFound(f"no clip {line.clip_id!r} in this index")
    if video is not None or line.video:
        return one_video(catalog, video if video is not None else line.video)
    names = {file.stem, file.stem.removesuffix(".captions")}
    found = {
        row.video_id
        for row in catalog.videos.paths().values()
        if not row.missing and names & {Path(row.path).stem, Path(row.path).name}
    }
    if len(found) != 1:
        many = f"{len(found)} videos have" if found else "no video of this index has"
        raise InputError(f"{file}: {many} its name", hint="--video says whose captions these are")
    return found.pop()


def _beyond(line: Written, clips: Sequence[Clip]) -> Failure:
    end_s = max((clip.span.end_s for clip in clips), default=0.0)
    return Failure(line.source, "import", "BadQuery", f"no clip is at {line.span}; the last ends at {end_s:.3f} s")
