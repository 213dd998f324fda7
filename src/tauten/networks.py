"""A network that a person names, and what it asks of data and setting."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from torch import nn

from tauten.data import Table, TextTable
from tauten.errors import ModelError
from tauten.nets.encoder import PretrainedEncoder
from tauten.options import Options
from tauten.reference import load_reference

Build = Callable[..., nn.Module]


def load_builder(model: Build | str | None) -> Build | None:
    """The function that builds the network: itself, from "file.py:function", or of a folder with a pretrained encoder.

    ModelError where there is none.
    """
    if model is None or callable(model):
        return model
    if Path(model).is_dir():
        return PretrainedEncoder(model)
    return load_reference(model, "model", "my_net.py:build", "returns a torch.nn.Module", ModelError)


def settled(options: Options, build: Build | None) -> Options:
    """The options with the setting that the network brings along, where the person has fixed nothing else."""
    if not isinstance(build, PretrainedEncoder):
        return options
    return dataclasses.replace(options, setting={**build.setting, **options.setting})


def read_by(table: Table, build: Build | None) -> Table:
    """The table with its texts as the tokens that the network knows."""
    if isinstance(build, PretrainedEncoder) and isinstance(table, TextTable):
        return table.read_by(build.reader)
    return table
