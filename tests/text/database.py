"""A tiny WordNet, written as wndb(5WN) documents the format, apart from the reader that it tests."""

from pathlib import Path

NAMES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
NUMBERS = {"n": 1, "v": 2, "a": 3, "r": 4}
HEADER = "  1 A tiny database for tests in the format of WordNet's own.  \n"
# (part, words, usage: the first word of a noun synset and the number of the marked word or 0 for all)
SYNSETS = (
    ("n", "movie film picture moving_picture flick", None),
    ("n", "film", None),
    ("n", "picture image", None),
    ("n", "good goodness", None),
    ("n", "man adult_male", None),
    ("n", "disparagement", None),
    ("n", "fellow bloke lout", ("disparagement", 3)),
    ("n", "rush haste", None),
    ("n", "Rush", None),
    ("n", "power powerfulness", None),
    ("n", "twenty 20 xx score", None),
    ("v", "film shoot", None),
    ("v", "try attempt", None),
    ("v", "move go", None),
    ("v", "travel go", None),
    ("v", "compel oblige", None),
    ("a", "good", None),
    ("a", "little(a) small", None),
    ("a", "compelling", None),
    ("r", "often frequently", None),
)
TAGS = {("n", "film"): (38, 5), ("n", "movie"): (26,), ("n", "picture"): (3, 40), ("n", "good"): (2,)}
TAGS |= {("n", "goodness"): (9,), ("n", "man"): (90,), ("n", "fellow"): (9,), ("n", "bloke"): (9,), ("n", "lout"): (9,)}
TAGS |= {("n", "rush"): (2, 0), ("n", "haste"): (9,), ("n", "power"): (30,), ("n", "powerfulness"): (3,)}
TAGS |= {("n", "score"): (9,), ("n", "twenty"): (9,), ("v", "film"): (2,), ("v", "try"): (70,), ("v", "attempt"): (30,)}
TAGS |= {("v", "go"): (50, 10), ("v", "move"): (60,), ("v", "compel"): (9,), ("v", "oblige"): (9,)}
TAGS |= {("a", "good"): (190,), ("a", "small"): (90,), ("a", "little"): (70,), ("r", "often"): (30,)}
TAGS |= {("r", "frequently"): (30,)}
EXCEPTIONS = {
    "noun": "men man\n",
    "verb": "compelled compel\ncompelling compel\ngone go\ntried try\nwent go\n",
    "adj": "better good well\n",
    "adv": "better well\n",
}


def write(folder: Path, synsets=SYNSETS, tags=TAGS) -> Path:
    """The database's files in `folder`; a lemma's senses are numbered in the order of the synsets."""
    folder.mkdir(parents=True, exist_ok=True)
    offsets = places(synsets)
    senses: dict[tuple[str, str], list[int]] = {}
    data = dict.fromkeys(NAMES, HEADER)
    for i, (part, words, _) in enumerate(synsets):
        assert len(data[part]) == offsets[i]
        data[part] += line(i, synsets, offsets)
        for word in words.split():
            senses.setdefault((part, word.partition("(")[0].lower()), []).append(offsets[i])
    for part, name in NAMES.items():
        index = HEADER
        for (_, lemma), found in sorted(item for item in senses.items() if item[0][0] == part):
            held = " ".join(f"{offset:08d}" for offset in found)
            index += f"{lemma} {part} {len(found)} 2 @ ~ {len(found)} {len(found)} {held}  \n"
        (folder / f"index.{name}").write_text(index)
        (folder / f"data.{name}").write_text(data[part])
        (folder / f"{name}.exc").write_text(EXCEPTIONS[name])
    counts = [
        f"{lemma}%{NUMBERS[part]}:10:0{number}:: {number} {count}\n"
        for (part, lemma), found in sorted(tags.items())
        for number, count in enumerate(found, 1)
        if count
    ]
    (folder / "cntlist.rev").write_text("".join(counts))
    return folder


def places(synsets) -> list[int]:
    """The byte at which each synset's line begins; fields have fixed widths, so any offsets give the same length."""
    ends = dict.fromkeys(NAMES, len(HEADER))
    found = []
    for i, (part, _, _) in enumerate(synsets):
        found.append(ends[part])
        ends[part] += len(line(i, synsets, [0] * len(synsets)))
    return found


def line(i: int, synsets, offsets) -> str:
    part, words, usage = synsets[i]
    spelled = " ".join(f"{word} 0" for word in words.split())
    pointers = ["@ 00000000 n 0000"]
    if usage:
        target = next(j for j, (_, other, _) in enumerate(synsets) if other.split()[0] == usage[0])
        pointers.append(f";u {offsets[target]:08d} n {usage[1]:02x}00")
    frames = " 01 + 08 00" if part == "v" else ""
    count = f"{len(words.split()):02x}"
    listed = f"{len(pointers):03d} {' '.join(pointers)}"
    return f'{offsets[i]:08d} 10 {part} {count} {spelled} {listed}{frames} | what it means; "as in | this"  \n'
