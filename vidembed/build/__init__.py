"""The composition root: settings in, working parts out. The one place that knows concrete classes, by name."""

from vidembed.build.channels import ChannelFactory, Lane, look_of
from vidembed.build.parts import (
    make_bank,
    make_executor,
    make_remote,
    make_run_options,
    make_search_settings,
    make_store,
    make_tools,
)
from vidembed.build.queries import QueryLoader

__all__ = [
    "ChannelFactory",
    "Lane",
    "QueryLoader",
    "look_of",
    "make_bank",
    "make_executor",
    "make_remote",
    "make_run_options",
    "make_search_settings",
    "make_store",
    "make_tools",
]
