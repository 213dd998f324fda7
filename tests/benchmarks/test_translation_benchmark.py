"""The benchmark of back-translation reads what people have: labels before texts, and both encodings."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from translation import read


def test_texts_are_read_in_both_encodings_without_their_labels(tmp_path):
    for encoding in ("utf-8", "latin-1"):
        (tmp_path / "texts").write_bytes("1 crème brûlée .\n\n0 a film\n0 past the rows\n".encode(encoding))
        assert read(tmp_path / "texts", rows=2, skip=2) == ["crème brûlée .", "a film"]
