"""How fast Apertium back-translates, how much of it is unchanged or half translated, and ten examples to judge.

    python benchmarks/translation.py sst2.txt trec.txt --via spa,cat,epo

A file holds a text a line, UTF-8 or Latin-1; `--skip 2` leaves out the first two characters of each (a label). Only the
first `--rows` are read. Speed is of both steps together, the program's starts included, by the clock; seconds of the
processor are those of all the programs that Apertium starts.
"""

import argparse
import os
from pathlib import Path

from tauten.text.translation import Apertium, Translated, back_translations


def read(path: Path, rows: int, skip: int) -> list[str]:
    """The first texts of a file."""
    raw = path.read_bytes()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return [line[skip:].strip() for line in text.split("\n") if line.strip()][:rows]


def measured(texts: list[str], language: str) -> tuple[Translated, float]:
    """The back-translations by one language, and the seconds of the processor that they took."""
    before = os.times()
    done = back_translations(texts, Apertium(), via=(language,))
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return done, spent


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("files", nargs="+", type=Path)
    reader.add_argument("--via", default="spa,cat,epo")
    reader.add_argument("--rows", type=int, default=500)
    reader.add_argument("--skip", type=int, default=0)
    reader.add_argument("--examples", type=int, default=10)
    asked = reader.parse_args()
    print("| texts | via | texts | texts/s | texts/s of processor | unchanged | foreign words left over |")
    print("|---|---|---|---|---|---|---|")
    shown = []
    for file in asked.files:
        texts = read(file, asked.rows, asked.skip)
        for language in asked.via.split(","):
            done, spent = measured(texts, language)
            (by,) = done.by
            rates = f"{len(texts) / done.seconds:.0f} | {len(texts) / spent:.0f}"
            counts = f"{by.unchanged / len(texts):.1%} | {by.foreign / len(texts):.1%}"
            print(f"| {file.name} | {language} | {len(texts):,} | {rates} | {counts} |", flush=True)
            step = max(1, len(texts) // asked.examples)
            shown += [(language, texts[i], by.texts[i]) for i in range(0, len(texts), step)][: asked.examples]
    for language, text, said in shown:
        print(f"\n{language}  {text}\n     {said}")


if __name__ == "__main__":
    main()
