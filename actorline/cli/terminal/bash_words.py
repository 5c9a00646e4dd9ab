"""Completion in bash, which also splits words at `@`, `:` and `=`: a schedule's key becomes seven."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Final

CUTS: Final = frozenset("@:=")
WORDS: Final = "COMP_WORDS"
INDEX: Final = "COMP_CWORD"


def complete_whole_words(complete: Callable[[], None]) -> None:
    """Complete words as they were typed, and print the part of each that bash appends after its last split."""
    words = whole_words(os.environ[WORDS].split("\n")[: int(os.environ[INDEX]) + 1])
    os.environ.update({WORDS: "\n".join(words), INDEX: str(len(words) - 1)})
    typed = words[-1]
    kept = typed[: max(typed.rfind(cut) for cut in CUTS) + 1]
    try:
        with redirect_stdout(io.StringIO()) as printed:
            complete()
    finally:
        sys.stdout.writelines(f"{line.removeprefix(kept)}\n" for line in printed.getvalue().splitlines())


def whole_words(cut: Sequence[str]) -> list[str]:
    """Return the words as they were typed, from those that bash has split."""
    words: list[str] = []
    for number, word in enumerate(cut):
        is_cut = bool(word) and CUTS.issuperset(word)
        follows_cut = number > 0 and bool(word) and bool(cut[number - 1]) and CUTS.issuperset(cut[number - 1])
        if words and (is_cut or follows_cut):
            words[-1] += word
        else:
            words.append(word)
    return words
