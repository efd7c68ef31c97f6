"""The part of an open index that captions and labels: by models, by people, and from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.load import with_values
from vidembed.index.cutting import MomentFiles
from vidembed.index.filling import Filling
from vidembed.index.places import named_paths, select
from vidembed.media.files import Paths
from vidembed.search.labels import label_groups
from vidembed.types import Caption

if TYPE_CHECKING:
    from vidembed.captions.by_hand import Imported
    from vidembed.captions.run import CaptionedVideo  # captions are imported when asked for: searches need none
    from vidembed.index.classifying import LabelExample, Labelled


class CaptionedIndex(MomentFiles):
    """The part of `VideoIndex` that captions and labels."""

    def caption(
        self,
        videos: Paths | None = None,
        *,
        model: str | None = None,
        candidates: int | None = None,
        prompt: str | None = None,
        seed: int | None = None,
        redo: bool = False,
        rechoose: bool = False,
        options: Mapping[str, Any] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Iterator[CaptionedVideo]:
        """Caption videos; yields each as it is done and saved, errors of single clips and files included.

        A person's captions are kept, and so are those of the same captioner with the same settings. Captions are
        searchable at once, in the channels of captions.

        Args:
            videos: None = all.
            model: The captioner; as each of the next three, None = the setting under `caption`.
            candidates: Captions proposed for each clip.
            prompt: For captioners that take one.
            seed: Of the sampling.
            redo: Caption again what is captioned.
            rechoose: Re-rank stored candidates, with the vectors and settings of now; no model call.
            options: For the captioner's loader, on top of `caption.options`.
            progress: Called with (path, clips done, clips in all).

        Raises:
            ConfigError: No captioner is set, or a value is out of bounds.
            ModelError: The captioner cannot be loaded.
        """
        from vidembed.index.captioning import caption_videos

        merged = {**self.config.caption.options, **options} if options else None
        config = with_values(
            self.config, "caption", model=model, candidates=candidates, prompt=prompt, seed=seed, options=merged
        )
        chosen, named = select(self.catalog, videos), named_paths(self.catalog, videos)
        for video in caption_videos(
            self.parts, chosen, config.caption, save=self.save_captions, redo=redo, rechoose=rechoose, progress=progress
        ):
            yield replace(video, path=named.get(video.video_id, video.path))

    def save_captions(self, captions: Sequence[Caption]) -> list[Caption]:
        """Save captions and make them searchable. A model's caption never replaces a person's; returns those saved."""
        with self.parts.writing():
            saved = Filling(self.parts).save_captions(captions)
            self.parts.invalidate()
        return saved

    def delete_captions(self, clip_ids: Sequence[str]) -> int:
        """Forget the captions of clips, a person's too; searches find them no more. Returns how many there were."""
        with self.parts.writing():
            held = list(self.catalog.captions.of_many(clip_ids).values())
            if held:
                Filling(self.parts).delete_captions(held)
                self.parts.invalidate()
        return len(held)

    def import_captions(self, file: str | Path, video: str | Path | None = None) -> Imported:
        """Take a person's captions from a file: subtitles, or records as `vidembed export` writes them.

        They are searchable at once, and no model replaces them. What the index says already stays as it is.

        Args:
            file: .srt, .vtt, .ass, .jsonl, .csv or .parquet.
            video: Whose captions these are; None = as its records say, or the video that the file is named after.

        Raises:
            InputError: The file cannot be read, or nothing in it belongs to a clip of this index.
            MediaNotFound: The index has no such video.
        """
        from vidembed.index.writing import import_captions

        return import_captions(self.catalog, Path(file).expanduser(), video, self.save_captions)

    def write_captions(self, texts: Mapping[str, str]) -> list[Caption]:
        """Save a person's captions, by clip id, as `import_captions` does. Raises BadQuery for an unknown clip."""
        from vidembed.index.writing import write_captions

        return write_captions(self.catalog, texts, self.save_captions)

    def classify(
        self,
        labels: Path | str | Sequence[str] | Mapping[str, Any],
        videos: Paths | None = None,
        *,
        one: bool = False,
        threshold: float = 0.5,
        examples: Sequence[LabelExample] = (),
        save: bool = False,
    ) -> list[Labelled]:
        """The stretches of videos that have one of your labels; what has none is left out.

        `index.classify({"animal": ["dog", "cat"], "place": {"one_of": ["street", "beach"]}}, save=True)`, then
        `index.search("running", where=Filter(tags=["animal=dog"]))`.

        Args:
            labels: A list, a file (a label a line, or YAML), or groups by name (see `search.labels.label_groups`).
            videos: None = all.
            one: Of a plain list: a clip has at most one of them.
            threshold: Confidence from which a clip has a label.
            examples: Clips that have a label, or have it not: they move the label and its threshold.
            save: Keep each video's labels as a tag named as their group, in place of an older one.

        Raises:
            InputError: The labels cannot be read, or an example has none of them.
            BadQuery: No channel takes text.
        """
        from vidembed.index.classifying import classify, tags_of

        groups = label_groups(labels, one=one)
        chosen = select(self.catalog, videos)
        found = classify(self.parts, chosen, groups, examples=examples, threshold=threshold)
        if save:
            with self.parts.writing():
                for video_id, tags in tags_of(found, chosen, groups).items():
                    self.catalog.tags.change([video_id], tags)
        return found
