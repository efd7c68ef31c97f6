"""configs/base.yaml, made from the schema: `python -m vidembed.config.reference` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vidembed.config.load import configs_dir
from vidembed.config.schema import ChannelSettings, Config
from vidembed.files import write_text

_COMMENT_AT = 32  # column
_HEADER = """\
# All settings with their defaults. Every profile starts from these.
# Generated from the schema in vidembed/config/: change that, then run `make settings`.
"""


def base_yaml() -> str:
    """Every setting with its default; the comments are the descriptions in the schema."""
    return _HEADER + "\n" + "\n".join(_lines(Config, "")) + "\n"


def settings_yaml(config: Config) -> str:
    """These settings as YAML that `--config` takes; a comment names the origin of what is no default."""
    return "\n".join(_set(config, config.model_dump(mode="json"), "", "")) + "\n"


def _set(config: Config, values: Mapping[str, Any], indent: str, at: str) -> Iterator[str]:
    for key, value in values.items():
        path = f"{at}.{key}" if at else str(key)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_inline(key)}:"
            yield from _set(config, value, f"{indent}  ", path)
            continue
        line, origin = f"{indent}{_inline(key)}: {_inline(value)}", config.origin(path)
        yield line if origin == "default" else _commented(line, origin)


def _lines(section: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if name == "profile":  # set by whoever loads, not by a file
            continue
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not indent:
                yield ""
            yield _commented(f"{indent}{name}:", (inner.__doc__ or "").rstrip("."))
            yield from _lines(inner, f"{indent}  ")
        elif name == "channels":
            yield ""
            yield _commented("channels: {}", field.description or "")
            yield _commented("#  NAME:", "one block for each channel")
            yield from _lines(ChannelSettings, "#    ")
        else:
            yield _commented(f"{indent}{name}: {_value(field)}", field.description or "")


def _commented(text: str, comment: str) -> str:
    return f"{text:{_COMMENT_AT - 2}}  # {comment}"


def _value(field: FieldInfo) -> str:
    if field.is_required():
        return "..."
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return _inline(value)


def _inline(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    write_text(configs_dir() / "base.yaml", base_yaml())
