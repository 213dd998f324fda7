"""Files as frames: CSV, TSV, JSON Lines, ARFF, Parquet and Feather, text also gzipped or compressed by Zstandard."""

import csv
import difflib
import gzip
import io
import json
import zlib
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from tauten.data.arff import read_arff
from tauten.data.columns import counted
from tauten.data.frames import BLANKS, as_frame, refuse_duplicates
from tauten.errors import DataError

SEPARATED = {".csv": ",", ".tsv": "\t"}
PACKED = (".gz", ".zst")
LONGEST = 2**31 - 1
"""Characters of a cell: Python's own limit, 131,072, is less than some texts have."""
LINES = (".jsonl", ".ndjson")
FORMATS = "a file that ends in .csv, .tsv, .jsonl or .arff (also with .gz or .zst after it), .parquet or .feather"


def read(source: str | Path) -> pd.DataFrame:
    """A file's columns as they stand, every one a column, missing values as None or NaN.

    CSV and TSV have a header row; their empty cells and "?", "NA", "NaN", "None", "null" are missing. Raises DataError
    for a file that isn't there, isn't one of the formats or is malformed, or where the package that reads it isn't
    installed.
    """
    path = Path(source)
    ending = next((s for s in reversed(path.suffixes) if s not in PACKED), "").lower()
    if not path.is_file():
        raise DataError(f"no file {str(path)!r}: expected {FORMATS}")
    if ending in (".parquet", ".feather") and path.suffix not in PACKED:
        frame = _read_arrow(path)
    elif ending in SEPARATED:
        frame = _read_separated(path, SEPARATED[ending])
    elif ending in LINES:
        frame = _read_lines(path)
    elif ending == ".arff":
        frame = read_arff(_text(path), str(path))
    else:
        raise DataError(f"{path} ends in {path.suffix or 'no suffix'!r}: expected {FORMATS}, so convert or rename it")
    return as_frame(frame)


def suggestion(given: str, known: list[str]) -> str:
    """A question that names the nearest of what is known, or nothing."""
    close = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start + 1}): save it in UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} can't be read ({error}): expected a readable file, so fetch it again") from error


def _bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix != ".zst":
        return data
    _require("zstandard", path)
    import zstandard

    text, rest = b"", data
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            text += frame.decompress(rest)
        except zstandard.ZstdError as error:
            raise OSError(error) from error
        if not frame.eof:
            raise EOFError("compressed file ended before the end of its last frame")
        rest = frame.unused_data
    return text


def _require(package: str, path: Path) -> None:
    if find_spec(package) is None:
        raise DataError(f"reading {path} takes the package {package}: run pip install 'tauten[tables]'")


def _read_arrow(path: Path) -> pd.DataFrame:
    _require("pyarrow", path)
    import pyarrow
    from pyarrow import feather, parquet

    reader = feather.read_table if path.suffix == ".feather" else parquet.read_table
    try:
        frame: pd.DataFrame = reader(path).to_pandas()
    except (OSError, pyarrow.ArrowException) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(
            f"{path} can't be read ({first}): expected a {path.suffix[1:]} file, so fetch it again"
        ) from error
    return frame


def _read_separated(path: Path, mark: str) -> pd.DataFrame:
    text = _text(path)
    header = _header(path, text, mark)
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=mark,
            header=0,
            names=header,
            index_col=False,
            low_memory=False,
            skipinitialspace=True,
            na_values=list(BLANKS),
        )
    except pd.errors.ParserError as error:
        raise DataError(f"{path} is not a regular table ({str(error).strip()}): mend that line") from error


def _read_lines(path: Path) -> pd.DataFrame:
    """JSON Lines: one object a line; a key that a line lacks is missing there."""
    records = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path} is no JSON in line {number} ({error.msg}): mend that line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path} has a {type(record).__name__} in line {number}: expected an object, {{…}}, a line")
        if "\\ud" in line.lower() and not _whole(record):
            raise DataError(f"{path} has half a character in line {number}, such as \\ud83d alone: mend that line")
        records.append(record)
    if not records:
        raise DataError(f"{path} is empty: expected an object with named values in each line")
    return pd.DataFrame.from_records(records)


def _whole(record: object) -> bool:
    """Whether no text in it holds half of a pair of UTF-16, as a tool leaves that cuts emoji in two."""
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _header(path: Path, text: str, mark: str) -> list[str]:
    """The column names as they stand (pandas would rename repeated ones), with every line's length checked."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
    before = csv.field_size_limit(LONGEST)
    try:
        header = next(reader, [])
        if not header:
            found = "starts with an empty line" if text.strip() else "is empty"
            raise DataError(f"{path} {found}: expected column names in its first line, then the data")
        refuse_duplicates(header, str(path))
        for row in reader:
            if row and len(row) != len(header):
                raise DataError(
                    f"{path} has {counted(len(row), 'value')} in line {reader.line_num}: expected {len(header)}, "
                    "one for each column name in the header, so mend that line"
                )
    except csv.Error as error:
        raise DataError(f"{path} is not a regular table (line {reader.line_num}: {error}): mend that line") from error
    finally:
        csv.field_size_limit(before)
    other = next((sign for sign in ",;\t|" if sign in header[0]), None)
    if len(header) == 1 and other:
        fix = "save it with commas, or tabs in a .tsv"
        raise DataError(f"{path} separates its columns by {other!r}: expected {mark!r} in a {path.suffix}, so {fix}")
    return header
