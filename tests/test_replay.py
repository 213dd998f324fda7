"""A journal that doesn't fit the run that is gone on with ends in one sentence, whatever doesn't fit."""

import json
from zlib import crc32

import pytest

import tauten
from tauten.errors import RunError
from tauten.journal import NAME
from test_cli import run


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "wine"
    setting = {"epochs": 4, "width": 8, "depth": 1}
    tauten.search("wine", trials=30, setting=setting, threads=1, techniques="dropout,l2", out=folder)
    return (folder / NAME).read_bytes().splitlines()


def doctored(folder, lines, kind, change, keep=None):
    """A run folder whose journal's first answer of a kind is changed, and which ends there where `keep` is 0."""
    at = next(i for i, line in enumerate(lines) if json.loads(line)["kind"] == kind)
    event = json.loads(lines[at])
    change(event["payload"])
    body = json.dumps({k: v for k, v in event.items() if k != "crc"}, separators=(",", ":"))[1:].encode()
    folder.mkdir()
    line = b'{"crc":"%08x",%s' % (crc32(body), body)
    end = len(lines) if keep is None else at + 1 + keep
    (folder / NAME).write_bytes(b"\n".join([*lines[:at], line, *lines[at + 1 : end]]) + b"\n")
    return folder


WRONG = {
    "another member": ("round", lambda p: p["members"][0].__setitem__(0, 99), "other members than this race trains"),
    "one member less": ("round", lambda p: p["members"].pop(), "other members than this race trains"),
    "a lane that is none": (
        "round",
        lambda p: p["asked"].append(["third", None]),
        "a round that can't be taken up again (KeyError: 'third')",
    ),
    "a recipe without a switch": (
        "round",
        lambda p: p["asked"].append(["recipes", {"dropout.p": 0.1}]),
        "(KeyError: 'setting.learning_rate')",
    ),
    "a round without members": ("round", lambda p: p.pop("members"), "up again (KeyError: 'members')"),
    "cells of another form": ("cells", lambda p: p.clear(), "what can't be taken up again (KeyError"),
    "options that are none": ("tauten journal 1", lambda p: p["options"].update(colour="red"), "(TypeError"),
    "a header of long ago": ("tauten journal 1", lambda p: p.pop("own"), "(KeyError: 'own')"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_told_in_a_sentence(lines, tmp_path, case):
    kind, change, words = WRONG[case]
    folder = doctored(tmp_path / "run", lines, kind, change)
    before = (folder / NAME).read_bytes()
    with pytest.raises(RunError) as told:
        tauten.resume(folder)
    assert words in str(told.value)
    assert "written by another version of Tauten or with other data; start anew in another --out." in str(told.value)
    assert (folder / NAME).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_the_last_round_is_looked_at_too_and_the_command_line_exits_with_two(lines, tmp_path):
    folder = doctored(tmp_path / "run", lines, "round", lambda p: p["members"][0].__setitem__(0, 99), keep=0)
    code, text = run("resume", folder)
    assert code == 2
    assert text.startswith("error: the journal records a round of other members")


def test_an_error_that_is_not_the_journals_stays_what_it_is(lines, tmp_path):
    folder = doctored(tmp_path / "run", lines, "round", lambda p: None, keep=0)

    def watch(event):
        if getattr(event, "name", "") == "finals A":
            raise KeyError("a watcher of one's own")

    with pytest.raises(KeyError, match="a watcher"):
        tauten.resume(folder, watch=watch)
