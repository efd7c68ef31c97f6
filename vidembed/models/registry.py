"""The registry of models: finds records by name, without loading anything, and loads models.

A name is one of
- a record's name: "pe-core-s-16-384";
- a local folder: "path/to/model" (an open_clip or transformers checkpoint, or an export of `vidembed align`);
- "open_clip:ARCH/TAG", or "open_clip:ARCH/path/to/weights.safetensors";
- "mteb:org/name": a model of mteb that takes texts or pictures (extra `mteb`);
- "hf:org/name" (also "hf-hub:org/name"): any hub repository of a known family; "hf:org/name@commit" one commit of it.

Records come from "module:ATTRIBUTE" strings: our own, and those of other packages' entry points in the group
`vidembed.models`. The attribute is a sequence of ModelSpec, or a function that returns one.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, cast

from vidembed.errors import ConfigError, UnknownModel, WeightsMissing, did_you_mean, missing_dependency
from vidembed.models.spec import Kind, ModelInput, ModelSpec, unknown_option
from vidembed.protocols import Captioner, Encoder, WordEncoder

__all__ = ["ModelInput", "ModelSpec", "find", "load", "load_captioner", "load_encoder", "register", "specs"]

BUILTIN = "vidembed.models.spec:builtin"
# Factories by the model_type in config.json, for local folders and hub ids without a record.
FAMILIES = {
    "clip": "vidembed.models.encoders.dual:load",
    "siglip": "vidembed.models.encoders.dual:load",
    "siglip2": "vidembed.models.encoders.dual:load",
    "metaclip_2": "vidembed.models.encoders.dual:load",
    "chinese_clip": "vidembed.models.encoders.dual:load",
    "clap": "vidembed.models.encoders.lean:load_clap",
    "xclip": "vidembed.models.encoders.dual:load_xclip",
    "videoprism": "vidembed.models.encoders.dual:load_videoprism",
    "pe_audio_video": "vidembed.models.encoders.pe_av:load",
    "pe_audio": "vidembed.models.encoders.pe_av:load_frames",
}
ALIGNED = "vidembed.align.aligned:load_spec"
CAPTIONER = "vidembed.models.captioners.vlm:load"
SPEECH = "vidembed.sources.whisper:load_whisper"
RERANKER = "vidembed.models.rerankers:load"
MTEB = "vidembed.models.encoders.mteb:load"
_EXAMPLE = "google/siglip2-base-patch16-224"
_log = logging.getLogger(__name__)


# Models of different roles may share a name ("starter").
Role = Literal["encoder", "captioner", "speech", "reranker", "ocr"]
_Registry = dict[tuple[Role, str], ModelSpec]


@cache
def _registry() -> _Registry:
    """(role, name) -> record; filled on first use."""
    found: _Registry = {}
    _add(found, _read(BUILTIN))
    for point in entry_points(group="vidembed.models"):
        try:
            _add(found, _read(point.value))
        except Exception as error:
            # A broken package of somebody else must not hide our models.
            _log.warning("skipped the models of entry point %s (%s): %s", point.name, point.value, error)
    return found


def _read(reference: str) -> Iterable[ModelSpec]:
    module, _, attribute = reference.partition(":")
    value = getattr(importlib.import_module(module), attribute)
    return cast("Iterable[ModelSpec]", value() if callable(value) else value)


def _role(spec: ModelSpec) -> Role:
    match spec.kind:
        case "words" | "late":
            return "encoder"
        case role:
            return role


def _add(registry: _Registry, records: Iterable[ModelSpec]) -> None:
    for spec in records:
        key = (_role(spec), spec.name)
        if key in registry:
            raise ConfigError(f"two {key[0]}s have the name {spec.name!r}")
        registry[key] = spec


def register(spec: ModelSpec) -> None:
    """Add a record for this process. Raises ConfigError for a name that is taken."""
    _add(_registry(), [spec])


def specs(kind: Kind | None = None) -> list[ModelSpec]:
    """All records, or those of one kind, sorted by name, then kind."""
    return sorted((s for s in _registry().values() if kind in (None, s.kind)), key=lambda s: (s.name, s.kind))


def find(name: str, role: Role = "encoder") -> ModelSpec:
    """The record of a model.

    Args:
        name: In one of the forms that the module's docstring lists.
        role: Whether an encoder, a captioner, a recogniser of speech or a reranker is meant.

    Raises:
        UnknownModel: Its hint lists close names.
    """
    if (role, name) in _registry():
        return _registry()[role, name]
    scheme, _, rest = name.partition(":")
    if role == "ocr":
        raise _unknown(name, role)
    if role != "encoder":
        return _other(name, scheme, rest, role)
    if scheme == "open_clip":
        return _open_clip(name, rest)
    if scheme in ("hf", "hf-hub"):
        return _hub(name, rest)
    if scheme == "mteb":
        return _mteb(name, rest)
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder(name, path)
    if path.is_file():
        raise UnknownModel(
            f"{name!r} is a file; weights alone do not say which architecture they are for",
            hint=f"write open_clip:ARCH/{name}, or give the folder the model was saved to",
        )
    if os.sep in name or name.startswith((".", "~")):
        raise UnknownModel(f"there is no model folder {name!r}", hint="check the path, or see: vidembed models")
    raise _unknown(name, role)


def _unknown(name: str, role: Role) -> UnknownModel:
    known = [n for r, n in _registry() if r == role]
    other = next((r for r, n in _registry() if n == name), None)
    if other is not None:
        return UnknownModel(
            f"{name!r} is a model of kind {other}, not {role}", hint=f"known: {', '.join(sorted(known))}"
        )
    return UnknownModel(f"no {role} is called {name!r}", hint=did_you_mean(name, known))


def _other(name: str, scheme: str, rest: str, role: Literal["captioner", "speech", "reranker"]) -> ModelSpec:
    """A model without a record: of transformers, of CTranslate2 (Whisper), of sentence-transformers (reranker)."""
    path = Path(name).expanduser()
    factory = {"captioner": CAPTIONER, "speech": SPEECH, "reranker": RERANKER}[role]
    if scheme in ("hf", "hf-hub"):
        return _of_repo(ModelSpec(name=name, kind=role, factory=factory), rest)
    if path.is_dir():
        return ModelSpec(name=name, kind=role, factory=factory, summary=f"local folder {path}", path=path)
    raise _unknown(name, role)


def _mteb(name: str, rest: str) -> ModelSpec:
    """A model that mteb opens and fetches by itself: no repository of ours to fetch."""
    repo, revision = _repo_of(name, rest)
    options = {"repo": repo, "revision": revision}
    return ModelSpec(name=name, kind="encoder", factory=MTEB, extra="mteb", summary=f"{repo} by mteb", options=options)


def _repo_of(name: str, rest: str) -> tuple[str, str]:
    """Repository and revision ("" for none) of SCHEME:ORG/NAME@REVISION."""
    repo, _, revision = rest.partition("@")
    if repo.count("/") != 1:
        scheme = name.partition(":")[0]
        raise UnknownModel(f"{name!r} must be {scheme}:ORG/NAME", hint=f"for example {scheme}:{_EXAMPLE}")
    return repo, revision


def _of_repo(new: ModelSpec, rest: str) -> ModelSpec:
    """The record of a hub repository, ORG/NAME or ORG/NAME@REVISION; `new` with it where there is none."""
    repo, revision = _repo_of(new.name, rest)
    known = (spec for (role, _), spec in _registry().items() if role == _role(new) and spec.repo == repo)
    if not revision and (found := next(known, None)):
        return found
    return replace(new, summary=repo, repo=repo, revision=revision or "main")


def _open_clip(name: str, rest: str) -> ModelSpec:
    arch, _, tag = rest.partition("/")
    if not arch or not tag:
        raise UnknownModel(f"{name!r} must be open_clip:ARCH/TAG", hint="for example open_clip:PE-Core-S-16-384/meta")
    path = Path(tag).expanduser()
    return ModelSpec(
        name=name,
        kind="encoder",
        factory="vidembed.models.encoders.open_clip:load",
        summary=f"open_clip {arch}",
        modalities=frozenset({"text", "image"}),
        path=path if path.is_file() else None,  # else the loader asks open_clip for the tag's own repository
        options={"arch": arch, "tag": None if path.is_file() else tag},
    )


def _hub(name: str, rest: str) -> ModelSpec:
    return _of_repo(ModelSpec(name=name, kind="encoder", factory="vidembed.models.registry:load_any"), rest)


def _folder(name: str, path: Path) -> ModelSpec:
    factory = _family(path)
    options = {"folder": str(path)} if factory == ALIGNED else {}
    return ModelSpec(
        name=name, kind="encoder", factory=factory, summary=f"local folder {path}", path=path, options=options
    )


def _family(path: Path) -> str:
    """The factory for a folder, by the files in it."""
    if (path / "open_clip_config.json").is_file():
        return "vidembed.models.encoders.open_clip:load"
    if (path / "align.json").is_file():
        return ALIGNED
    if (path / "modules.json").is_file():
        return "vidembed.models.encoders.lean:load_sentence"
    kind = _config(path / "config.json").get("model_type")
    if kind in FAMILIES:
        return FAMILIES[str(kind)]
    raise UnknownModel(
        f"{path} holds no model of a known family" + (f" (model_type {kind!r})" if kind else ""),
        hint="known: open_clip_config.json, align.json, modules.json (sentence-transformers), or config.json "
        f"with model_type {', '.join(sorted(FAMILIES))}",
    )


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsMissing(f"{path} is not valid JSON: {error}", hint="save or fetch the folder again") from error
    return value if isinstance(value, dict) else {}


def load_any(spec: ModelSpec, *, weights_dir: Path | None, offline: bool, **options: Any) -> object:
    """The factory of hub ids without a record: fetches the folder, finds its family, calls that factory."""
    from vidembed.models import weights

    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    return _factory(_family(at), spec)(spec, weights_dir=weights_dir, offline=offline, **options)


def load(
    name: str | ModelSpec,
    *,
    role: Role = "encoder",
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: str | Path | None = None,
    offline: bool = False,
    **options: Any,
) -> object:
    """Load a model of any kind.

    Args:
        name: As in `find`, or a record.
        role: As in `find`.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        dtype: "auto", "float32", "bfloat16" or "float16".
        weights_dir: Folder that is searched for NAME/ before the hub.
        offline: Never contact the hub.
        **options: The factory's own.

    Raises:
        UnknownModel: No such model.
        WeightsMissing: With the folder and the command that fetches them.
        MissingDependency: With the extra to install.
        ConfigError: For an option, device or dtype that does not exist.
    """
    spec = find(name, role) if isinstance(name, str) else name
    if _role(spec) != role:
        raise ConfigError(f"{spec.name!r} is a model of kind {spec.kind}, not {role}", hint="see: vidembed models")
    with _printing_nothing():
        factory = _factory(spec.factory, spec)
    given = {**spec.options, **options}
    _check_options(factory, given, spec)
    directory = Path(weights_dir).expanduser() if weights_dir is not None else None
    try:
        with _printing_nothing():
            return factory(spec, device=device, dtype=dtype, weights_dir=directory, offline=offline, **given)
    except ModuleNotFoundError as error:
        raise missing_dependency(error.name or "?", extra=spec.extra or "all", purpose=spec.name) from error


@contextmanager
def _printing_nothing() -> Iterator[None]:
    """What libraries print goes to the log: standard output is for data. transformers prints as it defines classes."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        yield
    for line in printed.getvalue().splitlines():
        _log.debug("printed while loading: %s", line)


def load_encoder(name: str | ModelSpec, **settings: Any) -> Encoder | WordEncoder:
    """Load an encoder (kind "encoder") or a word encoder (kind "words"). Settings as in `load`."""
    return cast("Encoder | WordEncoder", load(name, role="encoder", **settings))


def is_reranker(name: str) -> bool:
    """Whether there is a record of a reranker of that name."""
    return ("reranker", name) in _registry()


def load_captioner(name: str | ModelSpec, **settings: Any) -> Captioner:
    """Load a captioner. Settings as in `load`."""
    return cast("Captioner", load(name, role="captioner", **settings))


def _factory(reference: str, spec: ModelSpec) -> Any:
    module, _, function = reference.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise missing_dependency(error.name or module, extra=spec.extra or "all", purpose=spec.name) from error


def _check_options(factory: Any, given: dict[str, Any], spec: ModelSpec) -> None:
    parameters = inspect.signature(factory).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    allowed = {p.name for p in parameters} - {"spec", "device", "dtype", "weights_dir", "offline"}
    for option in given:
        if option not in allowed:
            raise unknown_option(spec.name, option, allowed)
