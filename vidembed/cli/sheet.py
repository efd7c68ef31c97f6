"""`vidembed sheet`: a picture of all shots of a video, or of all moments found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, SetOption, err, opened, plain
from vidembed.errors import InputError


def sheet(
    what: Annotated[str, typer.Argument(metavar="VIDEO|QUERY", help="A file, an address: its shots. Else: a search.")],
    out_to: Annotated[Path, typer.Option("--out", "-o", help="Picture to write: .jpg, .png or .webp.")],
    most: Annotated[int, typer.Option("--tiles", help="At most so many tiles.", min=1, max=400)] = 60,
    columns: Annotated[int | None, typer.Option(help="Tiles side by side.", min=1)] = None,
    tile_px: Annotated[int, typer.Option("--width", help="Width of a tile in pixels.", min=32, max=1920)] = 320,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the picture if it exists.")] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Write a contact sheet: a tile for each shot of a video, or each moment found, with its time."""
    if out_to.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
        raise InputError(f"--out {str(out_to)!r}: no picture", hint="name a file that ends in .jpg, .png or .webp")
    from vidembed.config.load import load_config
    from vidembed.files import refuse_existing
    from vidembed.media.editing.sheet import Tile, contact_sheet
    from vidembed.media.remote import is_remote
    from vidembed.vectors import evenly_spaced

    refuse_existing(out_to, overwrite=overwrite)
    if Path(what).is_file() or is_remote(what):
        media = load_config(overrides=settings).media
        tiles = Tile.of_shots(what, media=media)
    else:
        with opened(index, settings=settings, readonly=True) as open_index:
            media = open_index.config.media
            tiles = Tile.of_moments(open_index.search(what, k=most))
    if not tiles:
        raise InputError(f"nothing to show of {what!r}", hint="give a video file, or words that an index knows")
    if len(tiles) > most:
        plain(err(), f"{most} of {len(tiles)} shots, evenly spaced; --tiles for more")
        tiles = [tiles[place] for place in evenly_spaced(len(tiles), most)]
    _save(contact_sheet(tiles, columns=columns, tile_px=tile_px, media=media), out_to, overwrite=overwrite)
    plain(err(), f"wrote {out_to}")


def _save(rgb: object, target: Path, *, overwrite: bool) -> None:
    import PIL.Image

    from vidembed.files import replacing, writing

    kind = {".jpg": "JPEG", ".jpeg": "JPEG"}.get(target.suffix.lower(), target.suffix[1:].upper())
    with writing(target), replacing(target, overwrite=overwrite) as part:
        PIL.Image.fromarray(rgb).save(part, format=kind, quality=85)  # type: ignore[arg-type]
