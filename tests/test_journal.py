"""The journal: what was written comes back bit for bit, whatever killed the writer."""

import inspect
import json
import math
import signal
import struct
import subprocess
import sys
from copy import copy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tauten.journal
from tauten.errors import RunError
from tauten.journal import NAME, Journal, decode_array, encode_array


def record(folder: Path, answers: list[Any]) -> bytes:
    with Journal.create(folder, {"seed": 7}) as journal:
        for n, answer in enumerate(answers):
            journal.once("answer", partial(copy, answer), key=n)
    return (folder / NAME).read_bytes()


def replay(folder: Path) -> list[Any]:
    with Journal.resume(folder) as journal:
        answers: list[Any] = []
        while journal.replaying:
            answers.append(journal.recall("answer", len(answers)))
    return answers


def never() -> object:
    raise AssertionError("the world was asked although the answer is recorded")


class Hands:
    """A clock that goes on only when told to."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text().filter(lambda key: not key.startswith("$")), inner, max_size=4)
    ),
    max_leaves=10,
)


def bits(value: Any) -> Any:
    """The value with every float as its bytes, so that equality means the same bits; one NaN stands for all."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, list):
        return [bits(item) for item in value]
    if isinstance(value, dict):
        return [(key, bits(item)) for key, item in value.items()]
    return type(value), value


class TestFormat:
    def test_the_line_shown_in_the_docs_is_the_line_written(self, tmp_path: Path) -> None:
        clock = Hands(0.0)
        with Journal.create(tmp_path, {}, clock=clock) as journal:
            journal.append("a", 1)
            journal.append("b", 2)
            clock.at = 1.25
            journal.append("scores", {"loss": 0.25}, key=[7, 0])
        last = (tmp_path / NAME).read_text(encoding="ascii").splitlines()[-1]
        assert f"    {last}\n" in str(tauten.journal.__doc__)

    def test_every_line_is_strict_json_with_a_checksum_of_the_rest(self, tmp_path: Path) -> None:
        def refuse(name: str) -> object:
            raise AssertionError(f"{name} is not JSON")

        lines = record(tmp_path, [math.nan, math.inf, "ü\n\u2028", [1, {"x": -math.inf}]]).decode("ascii").splitlines()
        assert len(lines) == 5
        for n, line in enumerate(lines):
            value = json.loads(line, parse_constant=refuse)
            assert value["seq"] == n
            assert int(value["crc"], 16) == crc32(line.split(",", 1)[1].encode())
        assert json.loads(lines[1])["payload"] == {"$float": "nan"}
        assert json.loads(lines[2])["payload"] == {"$float": "inf"}

    @pytest.mark.parametrize(
        ("payload", "message"),
        [
            ({1: 0.5}, "the key 1 can't"),
            ({"$float": "1"}, r"the key '\$float' can't"),
            ([np.float32(1)], "a float32 can't"),
            ({"w": np.zeros(2)}, "a ndarray can't.*encode_array"),
            ({1, 2}, "a set can't"),
        ],
    )
    def test_refuses_what_would_not_come_back_and_writes_nothing(
        self, tmp_path: Path, payload: object, message: str
    ) -> None:
        before = record(tmp_path, [])
        with Journal.resume(tmp_path) as journal, pytest.raises(TypeError, match=message):
            journal.append("answer", payload)
        assert (tmp_path / NAME).read_bytes() == before


class TestRoundTrip:
    @settings(max_examples=50, deadline=None)
    @given(st.lists(json_values, max_size=4))
    def test_values(self, answers: list[Any]) -> None:
        with TemporaryDirectory() as folder:
            record(Path(folder), answers)
            assert bits(replay(Path(folder))) == bits(answers)

    @given(
        hnp.arrays(
            st.sampled_from(["<f4", ">f4", "<f8", "<f2", "?", "i1", "<i8", ">u2"]),
            hnp.array_shapes(min_dims=0, min_side=0),
        )
    )
    def test_arrays(self, array: np.ndarray) -> None:
        back = decode_array(json.loads(json.dumps(encode_array(array), allow_nan=False)))
        assert back.shape == array.shape
        assert back.dtype == array.dtype.newbyteorder("=")
        # Element by element in one byte order, so that the bits of NaN are compared too.
        assert back.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()
        assert back.flags.writeable

    def test_every_kind_of_float32_nan(self) -> None:
        patterns = np.array([0x7FC00000, 0xFFC00001, 0x7F800001, 0x7F800000, 0x80000000, 1], np.uint32)
        back = decode_array(encode_array(patterns.view(np.float32)))
        np.testing.assert_array_equal(back.view(np.uint32), patterns)

    def test_an_array_is_little_endian_in_row_order(self) -> None:
        encoded = encode_array(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]).astype(">f4"))
        assert encoded["dtype"] == "<f4"
        assert encoded["base64"] == "AACAPwAAAEAAAEBAAACAQA=="

    def test_arrays_that_would_need_pickle_are_refused(self) -> None:
        with pytest.raises(TypeError, match="holds object"):
            encode_array(np.array([{}, None]))
        with pytest.raises(RunError, match="can't be read"):
            decode_array({"dtype": "|O", "shape": [1], "base64": "AAAAAAAAAAA="})

    @pytest.mark.parametrize("change", [{"shape": [3]}, {"base64": "AA"}, {"base64": "*"}, {"dtype": "f99"}, None])
    def test_a_malformed_array_is_refused(self, change: dict[str, object] | None) -> None:
        value = {} if change is None else encode_array(np.zeros(2, np.float32)) | change
        with pytest.raises(RunError, match="recorded array can't be read"):
            decode_array(value)


class TestReplay:
    def test_once_gives_the_same_recorded_and_replayed(self, tmp_path: Path) -> None:
        answers = [(1, 2.5), {"b": [math.nan], "a": None}, np.float64(0.1) + 0.2, "text", True]
        with Journal.create(tmp_path, {"names": ("a", "b")}) as journal:
            first = [journal.once("answer", partial(copy, answer)) for answer in answers]
            header = journal.header
        with Journal.resume(tmp_path) as journal:
            again = [journal.once("answer", never) for _ in answers]
            assert not journal.replaying
            assert journal.header == header == {"names": ["a", "b"]}
        assert bits(again) == bits(first)
        assert first[0] == [1, 2.5]
        assert type(first[2]) is float

    def test_after_the_replay_the_world_is_asked_again(self, tmp_path: Path) -> None:
        record(tmp_path, ["a", "b"])
        with Journal.resume(tmp_path) as journal:
            assert [journal.once("answer", never, key=n) for n in range(2)] == ["a", "b"]
            assert journal.once("answer", lambda: "c", key=2) == "c"
        assert replay(tmp_path) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("kind", "key", "message"),
        [
            ("holdout", 0, r"line 2 of .* records 'answer' 0 where this run asks for 'holdout' 0"),
            ("answer", 1, r"records 'answer' 0 where this run asks for 'answer' 1: .*version"),
            ("answer", "0", r"records 'answer' 0 where this run asks for 'answer' \"0\""),
            ("answer", None, r"records 'answer' 0 where this run asks for 'answer':"),
        ],
    )
    def test_another_question_is_refused_and_both_are_named(
        self, tmp_path: Path, kind: str, key: object, message: str
    ) -> None:
        record(tmp_path, ["a"])
        with Journal.resume(tmp_path) as journal, pytest.raises(RunError, match=message):
            journal.once(kind, never, key)

    def test_a_decision_is_checked_on_replay(self, tmp_path: Path) -> None:
        with Journal.create(tmp_path, {}) as journal:
            journal.append("leave", {"trial": 3, "score": math.nan})
        with Journal.resume(tmp_path) as journal:
            journal.append("leave", {"score": math.nan, "trial": 3})
            assert not journal.replaying
        with Journal.resume(tmp_path) as journal, pytest.raises(RunError, match=r"line 2 of .* another 'leave'"):
            journal.append("leave", {"trial": 4, "score": math.nan})

    def test_an_answer_that_fails_is_not_recorded(self, tmp_path: Path) -> None:
        with Journal.create(tmp_path, {}) as journal:
            with pytest.raises(ZeroDivisionError):
                journal.once("answer", lambda: 1 / 0, key=0)
            journal.once("answer", lambda: 1, key=0)
        assert replay(tmp_path) == [1]


class TestClock:
    def test_elapsed_time_goes_on_where_it_was(self, tmp_path: Path) -> None:
        clock = Hands(1000.0)
        with Journal.create(tmp_path, {}, clock=clock) as journal:
            assert journal.seconds_used == 0.0
            clock.at += 5
            journal.append("a", 1)
            clock.at += 2.5
            journal.append("b", 2)
            clock.at += 60
            assert journal.seconds_used == 67.5

        clock = Hands(3.0)
        with Journal.resume(tmp_path, clock=clock) as journal:
            clock.at += 100
            assert journal.seconds_used == 0.0
            journal.append("a", 1)
            clock.at += 100
            assert journal.seconds_used == 5.0
            journal.append("b", 2)
            assert journal.seconds_used == 7.5
            clock.at += 1
            journal.append("c", 3)

        with Journal.resume(tmp_path, clock=Hands(-4.0)) as journal:
            assert [journal.recall(kind) for kind in "abc"] == [1, 2, 3]
            assert journal.seconds_used == 8.5

    def test_a_run_without_events_starts_at_zero(self, tmp_path: Path) -> None:
        record(tmp_path, [])
        clock = Hands(50.0)
        with Journal.resume(tmp_path, clock=clock) as journal:
            clock.at += 2
            assert journal.seconds_used == 2.0


class TestDamage:
    def test_a_last_line_torn_anywhere_is_cut_off_and_asked_anew(self, tmp_path: Path) -> None:
        whole = record(tmp_path, ["a", {"b": math.inf}, "the last"])
        start = whole[:-1].rindex(b"\n") + 1
        for end in range(start, len(whole)):
            (tmp_path / NAME).write_bytes(whole[:end])
            assert replay(tmp_path) == ["a", {"b": math.inf}]
            assert (tmp_path / NAME).read_bytes() == whole[:start]
            with Journal.resume(tmp_path) as journal:
                assert [journal.once("answer", lambda: "the last", key=n) for n in range(3)][2] == "the last"
            assert replay(tmp_path) == ["a", {"b": math.inf}, "the last"]

    def test_a_last_line_with_any_byte_lost_is_cut_off(self, tmp_path: Path) -> None:
        whole = record(tmp_path, ["a", "b"])
        start = whole[:-1].rindex(b"\n") + 1
        for at in range(start, len(whole)):
            (tmp_path / NAME).write_bytes(whole[:at] + b"\0" + whole[at + 1 :])
            assert replay(tmp_path) == ["a"]

    def test_damage_before_the_last_line_is_refused_with_its_line(self, tmp_path: Path) -> None:
        whole = record(tmp_path, ["a", "b", "c"])
        starts = [0] + [n + 1 for n, byte in enumerate(whole) if byte == ord("\n")]
        for line in (1, 2, 3):
            # The newline before the last line is left out: without it, two lines look like one that is torn.
            for at in range(starts[line - 1], starts[line] - (line == 3)):
                damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
                (tmp_path / NAME).write_bytes(damaged)
                with pytest.raises(RunError, match=rf"line {line} of .*journal.jsonl is damaged; restore"):
                    Journal.resume(tmp_path)
                assert (tmp_path / NAME).read_bytes() == damaged

    def test_the_fix_named_is_a_fix(self, tmp_path: Path) -> None:
        lines = record(tmp_path, ["a", "b", "c"]).splitlines(keepends=True)
        (tmp_path / NAME).write_bytes(b"".join([*lines[:2], b"x" + lines[2], lines[3]]))
        with pytest.raises(RunError, match=r"line 3 .* delete it and all lines after it"):
            Journal.resume(tmp_path)
        (tmp_path / NAME).write_bytes(b"".join(lines[:2]))
        assert replay(tmp_path) == ["a"]

    @pytest.mark.parametrize(
        ("reorder", "line"),
        [([0, 2, 3], 2), ([0, 2, 1, 3], 2), ([0, 1, 1, 2], 3), ([1, 2], 1), ([0, 1, 3], 3)],
        ids=["lost", "swapped", "doubled", "without header", "last but one lost"],
    )
    def test_whole_lines_out_of_place_are_refused(self, tmp_path: Path, reorder: list[int], line: int) -> None:
        lines = record(tmp_path, ["a", "b", "c"]).splitlines(keepends=True)
        (tmp_path / NAME).write_bytes(b"".join(lines[n] for n in reorder))
        with pytest.raises(RunError, match=f"line {line} of .* is damaged"):
            Journal.resume(tmp_path)

    def test_two_torn_lines_are_more_than_a_crash_does(self, tmp_path: Path) -> None:
        lines = record(tmp_path, ["a", "b"]).splitlines(keepends=True)
        (tmp_path / NAME).write_bytes(lines[0] + b"x" + lines[1] + lines[2][:9])
        with pytest.raises(RunError, match="line 2 of"):
            Journal.resume(tmp_path)

    def test_a_torn_header_holds_no_run(self, tmp_path: Path) -> None:
        whole = record(tmp_path, [])
        for end in range(len(whole)):
            (tmp_path / NAME).write_bytes(whole[:end])
            with pytest.raises(RunError, match="before anything was recorded; delete it"):
                Journal.resume(tmp_path)

    def test_another_format_is_refused(self, tmp_path: Path) -> None:
        body = record(tmp_path, []).replace(b"tauten journal 1", b"tauten journal 9")[18:-1]
        (tmp_path / NAME).write_bytes(b'{"crc":"%08x",%s\n' % (crc32(body), body))
        with pytest.raises(RunError, match="'tauten journal 9', expected 'tauten journal 1'"):
            Journal.resume(tmp_path)


class TestFolder:
    def test_create_makes_the_folder(self, tmp_path: Path) -> None:
        record(tmp_path / "runs" / "first", [1])
        assert replay(tmp_path / "runs" / "first") == [1]

    def test_create_refuses_a_folder_with_a_run_and_leaves_it(self, tmp_path: Path) -> None:
        whole = record(tmp_path, [1])
        with pytest.raises(RunError, match="already holds a run; take another --out, or `tauten resume"):
            Journal.create(tmp_path, {})
        assert (tmp_path / NAME).read_bytes() == whole

    def test_create_refuses_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(RunError, match="out can't be a run folder"):
            Journal.create(tmp_path / "out", {})
        assert (tmp_path / "out").read_text() == "mine"

    @pytest.mark.parametrize("where", ["", "nowhere", f"{NAME}x"])
    def test_resume_refuses_where_no_run_is(self, tmp_path: Path, where: str) -> None:
        (tmp_path / f"{NAME}x").touch()
        with pytest.raises(RunError, match="holds no run to resume"):
            Journal.resume(tmp_path / where)
        assert sorted(path.name for path in tmp_path.iterdir()) == [f"{NAME}x"]

    @pytest.mark.skipif(sys.platform == "win32", reason="no flock")
    def test_a_second_writer_is_refused_until_the_first_ends(self, tmp_path: Path) -> None:
        with Journal.create(tmp_path, {}) as journal:
            journal.append("answer", 1, key=0)
            with pytest.raises(RunError, match="being written by another process"):
                Journal.resume(tmp_path)
            code = "import sys; from tauten.journal import Journal; Journal.resume(sys.argv[1])"
            other = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
            assert "being written by another process" in other.stderr
            journal.append("answer", 2, key=1)
        assert replay(tmp_path) == [1, 2]

    def test_a_closed_journal_takes_nothing(self, tmp_path: Path) -> None:
        with Journal.create(tmp_path, {}) as journal:
            journal.close()
        with pytest.raises(RunError, match="is closed; go on by `tauten resume"):
            journal.append("answer", 1)


def answer(n: int) -> dict[str, object]:
    g = np.random.default_rng(n)
    return {"loss": float(g.normal()), "w": encode_array(g.normal(size=n % 50).astype(np.float32))}


WRITER = f"""
import sys
import numpy as np
from tauten.journal import Journal, encode_array

{inspect.getsource(answer)}

folder, start, sync = sys.argv[1:]
with Journal.create(folder, {{}}) if start == "create" else Journal.resume(folder) as journal:
    n = 0
    while True:
        journal.once("answer", lambda: answer(n), key=n, sync=sync == "synced")
        n += 1
        print(n, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("synced", ["synced", "unsynced"])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, synced: str) -> None:
    acknowledged = 0
    for start in ("create", "resume", "resume"):
        command = [sys.executable, "-c", WRITER, str(tmp_path), start, synced]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            goal = acknowledged + 40
            while acknowledged < goal:
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split("\n")[:-1])])
        assert writer.returncode == -signal.SIGKILL
        answers = replay(tmp_path)
        assert len(answers) in (acknowledged, acknowledged + 1)
        assert answers == [answer(n) for n in range(len(answers))]


FULL = """
import resource, signal, sys
from tauten.errors import RunError
from tauten.journal import Journal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.create(sys.argv[1], {})
journal.append("answer", "a", key=0)
size = journal.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, size + 30))
for word in ("can't be written (File too large); free the disk", "is closed"):
    try:
        journal.append("answer", "b" * 50, key=1)
    except RunError as error:
        assert word in str(error), error
    else:
        raise AssertionError("written beyond the limit")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_full_disk_ends_the_run_where_it_can_be_resumed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / NAME).read_bytes().endswith(b"\n")
    assert replay(tmp_path) == ["a"]
