"""Settings: load order, origins, and errors that say what, where and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from vidembed.config.load import configs_dir, load_config, profiles, with_values
from vidembed.config.reference import base_yaml
from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import ConfigError

NO_ENV: dict[str, str] = {}


def load(*args: Any, **kwargs: Any) -> Config:
    return load_config(*args, **{"environ": NO_ENV, **kwargs})


def test_later_layers_win_and_each_value_keeps_its_origin(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("search: {rrf_k: 20, per_channel: 7}\nrun: {workers: 3}\n")
    config = load(
        "toy", mine, ["search.rrf_k=40"], environ={"VIDEMBED__SEARCH__RRF_K": "30", "VIDEMBED__RUN__WORKERS": "4"}
    )
    assert config.search.rrf_k == 40
    assert config.origin("search.rrf_k") == "override"
    assert config.run.workers == 4
    assert config.origin("run.workers") == "environment VIDEMBED__RUN__WORKERS"
    assert config.search.per_channel == 7
    assert config.origin("search.per_channel") == f"file {mine}"
    assert config.sample.rate_hz == 2.0
    assert config.origin("sample.rate_hz") == "profile toy"
    assert config.search.seeds == 40
    assert config.origin("search.seeds") == config.origin("channels.vision.pool") == "default"
    assert config.origin("channels.vision.model") == "profile toy"


def test_what_an_index_remembers_lies_between_profile_and_file(tmp_path: Path) -> None:
    stored = {"sample": {"rate_hz": 5.0}, "run": {"prefetch": 9}}
    config = load("toy", overrides={"run.prefetch": 1}, stored=stored)
    assert (config.sample.rate_hz, config.origin("sample.rate_hz")) == (5.0, "the index")
    assert config.run.prefetch == 1


def test_starter_is_the_default_profile() -> None:
    assert load().profile == "starter"
    assert {"starter", "toy"} <= set(profiles())
    assert all(text.endswith(".") for text in profiles().values()), "a profile begins with what it is"


@pytest.mark.parametrize("name", profiles())
def test_every_bundled_profile_loads(name: str) -> None:
    config = load(name)
    assert config.profile == name
    assert any(channel.enabled for channel in config.channels.values())


def test_base_yaml_is_what_the_schema_says() -> None:
    written = (configs_dir() / "base.yaml").read_text(encoding="utf-8")
    assert written == base_yaml(), "run `make settings`"
    assert Config.model_validate(yaml.safe_load(written)) == Config() == load("base")
    assert f"{'  rrf_k: 60':32}# rrf: its constant (Cormack et al. 2009)\n" in written
    assert [line for line in written.splitlines() if len(line) > 120] == []


def test_every_setting_is_described() -> None:
    def undescribed(model: type[BaseModel], at: str) -> list[str]:
        gaps = []
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                gaps += undescribed(inner, f"{at}{name}.")
            elif not field.description:
                gaps.append(f"{at}{name}")
        return gaps

    assert undescribed(Config, "") == ["profile"]
    assert undescribed(ChannelSettings, "channels.NAME.") == []


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["search.rrf_k=0"], "search.rrf_k = 0 must be greater than or equal to 1 (from override)"),
        (["search.rrfk=3"], "unknown setting search.rrfk = 3 (from override)"),
        (["channels.vision.pool=avg"], "channels.vision.pool = 'avg' must be 'mean', 'max', 'topk' or 'attention'"),
        (["channels.vision.wndow_s=1"], "unknown setting channels.vision.wndow_s = 1 (from override)"),
        (["segment.overlap_s=2.0"], "segment: overlap_s (2.0) must be less than window_s (2.0)"),
        (["store.kind=server"], 'store: kind "server" needs url'),
        (["run.workers=many"], "run.workers = 'many' must be a valid integer"),
        (["channels.extra.model=toy"], "channels.extra.source is missing"),
        (["sample.rate_hz=.nan"], "sample.rate_hz = nan must be"),
        (["search.weights.vision=-1"], "search.weights.vision = -1 must be greater than or equal to 0"),
        (
            ["device=tpu"],
            "device = 'tpu' must be auto, cpu, mps, cuda, or one of several such as cuda:1 (from override)",
        ),
        (["channels.Vision.model=toy"], "channels.Vision = 'Vision' must be a name of small letters, digits and _"),
        (
            ["channels.vision=3"],
            "channels.vision = 3 must be a mapping of settings, such as channels.vision.name=value",
        ),
        (["store.kind=server", "store.url=ftp://x"], "store: url must begin with http:// or https://, got 'ftp://x'"),
        (["segment.min_s=9", "segment.max_s=3"], "must not be more than max_s (3.0) (from override)"),
        (["rrf_k"], "an override must look like a.b=value, got 'rrf_k'"),
    ],
)
def test_bad_settings_are_named(overrides: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("toy", overrides=overrides)
    assert expected in str(caught.value)


def test_close_names_are_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        load("startr")
    assert "unknown profile 'startr'" in str(caught.value)
    assert caught.value.hint == "did you mean starter or starter-free?"
    with pytest.raises(ConfigError) as caught:
        load("toy", overrides=["search.rrfk=3"])
    assert caught.value.hint == "did you mean rrf_k or rerank?"


def test_an_environment_value_is_named_as_its_origin() -> None:
    with pytest.raises(ConfigError, match=r"run.prefetch = -1 .*\(from environment VIDEMBED__RUN__PREFETCH\)"):
        load("toy", environ={"VIDEMBED__RUN__PREFETCH": "-1"})


def test_profiles_may_extend_files_but_not_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\nrun: {workers: 2}\n")
    (tmp_path / "b.yaml").write_text("extends: toy\nrun: {workers: 5, prefetch: 4}\n")
    config = load(str(tmp_path / "a.yaml"))
    assert (config.run.workers, config.run.prefetch, config.channels["vision"].model) == (2, 4, "toy")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError, match="circle: a.yaml -> b.yaml -> a.yaml"):
        load(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("- a list", "must hold settings by name"), ("a: [", "is not valid YAML"), ("\x00", "is not valid YAML")],
)
def test_a_broken_file_is_a_config_error(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load("toy", file)
    with pytest.raises(ConfigError, match="no settings file"):
        load("toy", tmp_path / "absent.yaml")


def test_yaml_never_builds_objects(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("device: !!python/object/apply:os.system ['echo hi']\n")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load("toy", file)


def test_config_is_frozen_and_flat_lists_every_leaf() -> None:
    config = load("toy")
    with pytest.raises(ValueError, match="frozen"):
        config.device = "cpu"  # type: ignore[misc]
    leaves = dict(config.flat())
    assert leaves["channels.vision.model"] == "toy"
    assert leaves["search.moments.levels"] == config.search.moments.levels


def test_overrides_given_as_a_mapping_may_be_nested_or_dotted() -> None:
    config = load("toy", overrides={"search": {"rrf_k": 9}, "search.seeds": 3, "channels.vision.keep_segments": False})
    assert (config.search.rrf_k, config.search.seeds, config.channels["vision"].keep_segments) == (9, 3, False)


def test_values_of_one_section_are_replaced_and_checked() -> None:
    config = load("toy")
    changed = with_values(config, "run", workers=3, on_error=None)
    assert (changed.run.workers, changed.run.on_error) == (3, config.run.on_error)
    assert changed.search is config.search
    assert with_values(config, "run", workers=None) is config
    with pytest.raises(ConfigError, match=r"run\.workers = 0 must be greater than or equal to 1"):
        with_values(config, "run", workers=0)
    with pytest.raises(ConfigError, match=r"caption\.rerank\.Vision"):
        with_values(config, "caption", rerank={"Vision": 1.0})
