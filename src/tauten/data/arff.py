"""ARFF, the format of Weka and OpenML: declared columns, then rows of comma-separated values, `?` where missing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tauten.data.frames import refuse_duplicates
from tauten.errors import DataError

_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+?)\s*(\{{.*\}}|(?<=\s)\S.*)$", re.IGNORECASE)
_VALUE = re.compile(rf"\s*({_QUOTED}|[^,]*?)\s*(,|$)")
_ESCAPED = re.compile(r"\\(.)")
# The letters of Java's date patterns that have a strptime counterpart.
_JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%f", "'": ""}


@dataclass(frozen=True)
class _Attribute:
    """A column as declared: its categories if it is nominal, else numeric, text, or dates in a form of strptime."""

    name: str
    type: str
    categories: tuple[str, ...] = ()
    form: str = "ISO8601"


def read_arff(text: str, where: str) -> pd.DataFrame:
    """The table of an ARFF file's text: nominal columns are categorical, dates datetime64, missing values None or NaN.

    Format: Weka's manual, "Attribute-Relation File Format". Sparse rows and relational attributes are refused. Raises
    DataError, which begins with `where`, for anything malformed, with its line.

    >>> frame = read_arff("@relation r\\n@attribute 'a b' real\\n@attribute c {x, 'y z'}\\n@data\\n1,x\\n?,'y z'", "f")
    >>> frame.to_dict("list")
    {'a b': [1.0, nan], 'c': ['x', 'y z']}
    """
    lines = _lines(text)
    attributes = list(_header(lines, where))
    refuse_duplicates([attribute.name for attribute in attributes], where)
    if not attributes:
        raise DataError(f"{where} declares no columns: expected lines such as '@attribute NAME numeric', then @data")
    rows = []
    for number, line in lines:
        row = _values(line)
        if line.startswith("{") or row is None or len(row) != len(attributes):
            found = "a sparse row" if line.startswith("{") else counted_values(row)
            raise DataError(
                f"{where} has {found} in line {number}: expected {len(attributes)} values, one for each @attribute, so "
                "mend that line"
            )
        rows.append(row)
    cells = list(zip(*rows, strict=True)) or [()] * len(attributes)
    return pd.DataFrame({a.name: _column(a, own, where) for a, own in zip(attributes, cells, strict=True)})


def counted_values(row: list[str | None] | None) -> str:
    """What a row held, for a message."""
    return "a quotation that doesn't end" if row is None else "1 value" if len(row) == 1 else f"{len(row)} values"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if (bare := line.strip()) and not bare.startswith("%"):
            yield number, bare


def _header(lines: Iterator[tuple[int, str]], where: str) -> Iterator[_Attribute]:
    for number, line in lines:
        keyword = line.split(None, 1)[0].lower()
        if keyword == "@data":
            return
        if keyword == "@attribute":
            found = _ATTRIBUTE.match(line)
            attribute = found and _attribute(_unquoted(found[1]), found[2].strip())
            if not attribute:
                raise DataError(
                    f"{where} declares {line!r} in line {number}: expected @attribute NAME and numeric, string, date "
                    "or {A, B, …}, so mend that line"
                )
            yield attribute
        elif keyword != "@relation":
            raise DataError(f"{where} holds {line[:40]!r} in line {number} before @data: expected @attribute lines")
    raise DataError(f"{where} has no @data line: expected one after the @attribute lines, then the rows")


def _attribute(name: str, declared: str) -> _Attribute | None:
    if declared.startswith("{"):
        categories = _values(declared[1:-1])
        known = tuple(category for category in categories or () if category is not None)
        return _Attribute(name, "nominal", known) if known else None
    word, _, form = declared.partition(" ")
    if word.lower() in ("numeric", "real", "integer"):
        return _Attribute(name, "numeric")
    if word.lower() == "string":
        return _Attribute(name, "string")
    if word.lower() == "date":
        pattern = _unquoted(form.strip()) if form.strip() else ""
        for java, ours in _JAVA.items():
            pattern = pattern.replace(java, ours)
        return _Attribute(name, "date", form=pattern or "ISO8601")
    return None


def _values(line: str) -> list[str | None] | None:
    """The values of a row, None where missing; None altogether where a quotation doesn't end."""
    if "'" not in line and '"' not in line:
        return [None if (bare := value.strip()) in ("?", "") else bare for value in line.split(",")]
    values: list[str | None] = []
    at = 0
    while found := _VALUE.match(line, at):
        if found[1][:1] in ("'", '"') and not re.fullmatch(_QUOTED, found[1]):
            return None
        values.append(None if found[1] in ("?", "") else _unquoted(found[1]))
        if not found[2]:
            return values
        at = found.end()
    return None


def _unquoted(word: str) -> str:
    return _ESCAPED.sub(r"\1", word[1:-1]) if word[:1] in ("'", '"') else word


def _column(attribute: _Attribute, cells: tuple[str | None, ...], where: str) -> "pd.Series[Any]":
    given = pd.Series(cells, dtype=object)
    if attribute.type == "string":
        return given
    if attribute.type == "nominal":
        read = pd.Series(pd.Categorical(given.where(given.isin(attribute.categories), None), attribute.categories))
    elif attribute.type == "numeric":
        read = pd.to_numeric(given, errors="coerce").astype("float64")
    else:
        read = pd.to_datetime(given, format=attribute.form, errors="coerce")
    odd = given[given.notna() & read.isna()]
    if len(odd):
        raise DataError(
            f"{where} holds {odd.iloc[0]!r} in data row {odd.index[0] + 1} of attribute {attribute.name!r}: expected "
            f"what it declares ({attribute.type}), so mend the value or the declaration"
        )
    return read
