"""Apertium, a free program that translates by rules (Forcada et al. 2011, doi:10.1007/s10590-011-9090-0).

It reads a stream and marks what it does not know: *word has no analysis, @word no translation, #word no inflected form.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Sequence

from tauten.errors import OptionError

# The packages of pairs with English that translate both ways, as Debian and Ubuntu call them.
_PACKAGES = {"spa": "apertium-eng-spa", "cat": "apertium-eng-cat", "epo": "apertium-eo-en", "glg": "apertium-en-gl"}
_LONG = {"en": "eng", "es": "spa", "ca": "cat", "eo": "epo", "gl": "glg", "fr": "fra", "pt": "por", "it": "ita"}
_SHORT = {long: short for short, long in _LONG.items()}
_MARK = re.compile(r"([*@#]+)(?=[^\W_])")
_BLANK_LINE = re.compile(r"\n\s*\n")
_PAIR = re.compile("[a-z]{2,3}-[a-z]{2,3}")
_END = re.compile(r"\s*\.$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Apertium passes these through; they stand in for a text's own signs, which would be taken for its marks.
_SIGNS = "§¤†‡¦¬"


class Apertium:
    """Apertium's program, started once for a batch, without a shell.

    `timeout` is in seconds, for a batch. `marks` counts by pair what a translation was marked with: "*", "@" and "#",
    and "kept": sentences that the program failed on and that stayed as they were. The marks are taken off the words.

    Raises (when it translates):
        OptionError: the program, or the pair of languages, is not installed, or fails, or a batch outlasts `timeout`.
    """

    name = "apertium"

    def __init__(self, *, program: str = "apertium", timeout: float = 600.0) -> None:
        if not timeout > 0:
            raise OptionError(f"timeout is {timeout!r}; give the seconds that a batch may take, above 0")
        self.marks: dict[str, Counter[str]] = {}
        self._program = program
        self._timeout = timeout
        self._modes: dict[tuple[str, str], str] = {}

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """Sentences (one line each) from one language to another; languages are named by ISO 639 (eng or en)."""
        pair = (source, target)
        if pair not in self._modes:
            self._modes[pair] = self._mode(source, target)
        return self._batch(list(sentences), self._modes[pair])

    def _batch(self, sentences: list[str], mode: str) -> list[str]:
        """Where other than the sentences' number comes back, halves are tried, so that none takes another's place."""
        if not sentences:
            return []
        covers = [_covers(sentence) for sentence in sentences]
        written = "".join(f"{_written(s, cover)} .\n\n" for s, cover in zip(sentences, covers, strict=True))
        blocks = self._run([mode], written, f"{len(sentences)} sentences by {mode}")
        marks = self.marks.setdefault(mode, Counter())
        if len(blocks) == len(sentences):
            return [self._clean(block, cover, marks) for block, cover in zip(blocks, covers, strict=True)]
        if len(sentences) > 1:
            half = len(sentences) // 2
            return self._batch(sentences[:half], mode) + self._batch(sentences[half:], mode)
        if blocks:
            return [self._clean(" ".join(blocks), covers[0], marks)]
        marks["kept"] += 1
        return sentences

    def _clean(self, block: str, cover: dict[str, str], marks: Counter[str]) -> str:
        text = _END.sub("", " ".join(block.split()))
        marks.update("".join(_MARK.findall(text)))
        text = _MARK.sub("", text)
        for sign, instead in cover.items():
            text = text.replace(instead, sign)
        return text

    def _mode(self, source: str, target: str) -> str:
        """Apertium's name of a pair, once a sentence has been translated by it."""
        package = _package(source, target)
        if shutil.which(self._program) is None:
            packages = f"apertium {package}" if package else "apertium and a package of these languages"
            raise OptionError(
                f"translating {source} to {target} takes the program {self._program}, which is not here: "
                f"run apt-get install {packages}"
            )
        there = [line.strip() for block in self._run(["-l"], "", "its list of pairs") for line in block.splitlines()]
        cure = f"run apt-get install {package}" if package else "see apt-cache search apertium for a package that does"
        names = [f"{a}-{b}" for a in _codes(source) for b in _codes(target)]
        mode = next((name for name in names if name in there), None)
        if mode is None:
            plain = ", ".join(sorted(name for name in there if _PAIR.fullmatch(name))) or "none"
            raise OptionError(f"Apertium has no pair {source} to {target} here (it has {plain}): {cure}")
        if not self._run([mode], "yes .\n\n", f"one sentence by {mode}"):
            raise OptionError(f"Apertium fails from {source} to {target} ({self._program} {mode}): {cure} once more")
        return mode

    def _run(self, arguments: list[str], text: str, what: str) -> list[str]:
        """The program's output as blocks between blank lines; none where it ends with an error."""
        with subprocess.Popen(
            [self._program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        ) as process:
            try:
                out, _ = process.communicate(text.encode(), timeout=self._timeout)
            except subprocess.TimeoutExpired as error:
                raise OptionError(
                    f"Apertium took more than {self._timeout:g} s for {what}; give a longer timeout or smaller batches"
                ) from error
            finally:
                if process.returncode is None:
                    # The program is a script: what it has started holds the pipe as long as it lives.
                    os.killpg(process.pid, signal.SIGTERM)
        found = out.decode("utf-8", errors="replace").strip()
        return _BLANK_LINE.split(found) if found and process.returncode == 0 else []


def _codes(language: str) -> list[str]:
    return list(dict.fromkeys([_LONG.get(language, language), _SHORT.get(language, language), language]))


def _package(source: str, target: str) -> str | None:
    pair = [_LONG.get(code, code) for code in (source, target)]
    others = [code for code in pair if code != "eng"]
    return _PACKAGES.get(others[0]) if len(others) == 1 else None


def _covers(sentence: str) -> dict[str, str]:
    """Stand-ins for the sentence's own signs that look like marks."""
    own = [sign for sign in "*@#" if sign in sentence]
    return dict(zip(own, (sign for sign in _SIGNS if sign not in sentence), strict=False)) if own else {}


def _written(sentence: str, cover: dict[str, str]) -> str:
    for sign, instead in cover.items():
        sentence = sentence.replace(sign, instead)
    return " ".join(_CONTROL.sub(" ", sentence).split())
