"""Print the measures of the code: sizes of modules and functions, docstrings, suppressions, folders, references.

Without the emulator. A function's lines are those of its code, without docstring and decorators. Run it in a clone:
`python .ci/measures.py`.
"""

import ast
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("actorline", "tasks", "workers", "config")
STUB_LINES: Final = 3
SMALL_LINES: Final = 30
LARGE_LINES: Final = 400
MANY_PARAMETERS: Final = 5
LONG_CHARS: Final = 100
BRANCHES: Final = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.match_case, ast.comprehension)
BLOCKS: Final = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith)
NO_VERB: Final = re.compile(
    "an?|all|also|another|any|as|at|before|both|by|each|every|for|from|how|if|in|it|its|not|nothing|on|one|only|our|same|"
    "that|the|these|this|those|true|false|until|what|when|where|whether|which|while|who|whose|why|with"
)
REFERENCE: Final = re.compile(
    r"`((?:actorline|tasks|workers|config|tests|docs|bench|examples)/[\w./-]+\.(?:py|md|lua|json|toml|yml|html))"
)
LINK: Final = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Row = tuple[str, str]


def main() -> None:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    texts = {file: file.read_text() for file in files if "emulator" not in file.parts}
    modules = {file: text for file, text in texts.items() if len(text.splitlines()) > STUB_LINES}
    rows = (
        *_of_modules(modules),
        *_of_functions(modules),
        *_of_text("\n".join(texts.values())),
        *_of_tests(),
        *_links(texts),
    )
    for name, value in rows:
        print(f"| {name} | {value} |")


def _of_modules(modules: Mapping[Path, str]) -> Iterator[Row]:
    lines = [len(text.splitlines()) for text in modules.values()]
    described = sum(ast.get_docstring(ast.parse(text)) is not None for text in modules.values())
    folders = Counter(file.parent.relative_to(ROOT) for file in modules if file.name != "__init__.py")
    folder, most = folders.most_common(1)[0]
    yield f"modules over {STUB_LINES} lines", str(len(modules))
    yield "lines", f"{sum(lines):,}"
    yield "module lines: median / p90 / max", _spread(lines)
    yield f"modules over {LARGE_LINES} lines", str(sum(each > LARGE_LINES for each in lines))
    yield f"modules under {SMALL_LINES} lines", str(sum(each < SMALL_LINES for each in lines))
    yield "modules with a docstring", _share(described, len(modules))
    yield "most modules in a folder", f"{most} ({folder})"


def _of_functions(modules: Mapping[Path, str]) -> Iterator[Row]:
    functions = [each for text in modules.values() for each in ast.walk(ast.parse(text)) if isinstance(each, Function)]
    public = [each for each in functions if not each.name.startswith("_")]
    docstrings = [text for each in functions if (text := ast.get_docstring(each))]
    parameters = [len(_parameters(each)) for each in functions]
    many = sum(each > MANY_PARAMETERS for each in parameters)
    nesting, complexities = [*map(_nesting, functions)], [*map(_complexity, functions)]
    yield "function lines: median / p90 / max", _spread([*map(_code_lines, functions)])
    yield "parameters: median / p90 / max", _spread(parameters)
    yield f"functions with more than {MANY_PARAMETERS} parameters", _share(many, len(functions))
    yield "nesting: mean / max", f"{statistics.mean(nesting):.2f} / {max(nesting)}"
    yield (
        "cyclomatic: mean / p90 / max",
        f"{statistics.mean(complexities):.2f} / {_p90(complexities)} / {max(complexities)}",
    )
    yield "functions with a docstring", _share(len(docstrings), len(functions))
    yield (
        "public functions with a docstring",
        _share(sum(ast.get_docstring(each) is not None for each in public), len(public)),
    )
    yield "docstrings that begin with a verb", _share(sum(map(_begins_with_verb, docstrings)), len(docstrings))


def _of_text(text: str) -> Iterator[Row]:
    lines = text.splitlines()
    for mark in ("# fmt: skip", "# noqa", "# type: ignore"):
        yield mark, str(text.count(mark))
    yield f"lines over {LONG_CHARS} characters", _share(sum(len(each) > LONG_CHARS for each in lines), len(lines))


def _of_tests() -> Iterator[Row]:
    texts = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
    names = [name for text in texts for name in re.findall(r"^ *(?:async )?def (test_\w+)", text, re.MULTILINE)]
    yield "test names: median / p90 / max characters", _spread([len(each) for each in names])


def _links(texts: Mapping[Path, str]) -> Iterator[Row]:
    """Yield the references of code and documents to files that aren't there."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = [(file, ROOT / name) for file in (*texts, *documents) for name in REFERENCE.findall(file.read_text())]
    named += [(file, file.parent / name) for file in documents for name in LINK.findall(file.read_text())]
    dangling = [f"{file.name}: {target.name}" for file, target in named if not target.exists()]
    yield "references that lead nowhere", ", ".join(dangling) or "none"


def _parameters(function: Function) -> list[ast.arg]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [each for each in every if each.arg not in {"self", "cls"}]


def _code_lines(function: Function) -> int:
    """Return the lines of the body without its docstring."""
    first, *rest = function.body
    if ast.get_docstring(function, clean=False) is not None:
        return (function.end_lineno or 0) - (first.end_lineno or 0) if rest else 0
    return (function.end_lineno or 0) - first.lineno + 1


def _complexity(function: Function) -> int:
    choices = sum(len(each.values) - 1 for each in ast.walk(function) if isinstance(each, ast.BoolOp))
    return 1 + choices + sum(isinstance(each, BRANCHES) for each in ast.walk(function))


def _nesting(node: ast.AST) -> int:
    """Return how deep blocks lie in each other; an `elif` is no deeper than its `if`."""
    return max((_nesting(child) + _is_deeper(node, child) for child in ast.iter_child_nodes(node)), default=0)


def _is_deeper(node: ast.AST, child: ast.AST) -> bool:
    is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
    return isinstance(child, BLOCKS) and not is_elif


def _begins_with_verb(docstring: str) -> bool:
    """Return whether the first word may be a verb in the imperative: a plain word that no ending gives away."""
    word = docstring.split(maxsplit=1)[0].strip(":,.").lower()
    is_plain = word.isalpha() and not NO_VERB.fullmatch(word)
    return (
        is_plain and not word.endswith(("ing", "ed", "ly", "ion")) and (word.endswith("ss") or not word.endswith("s"))
    )


def _spread(numbers: Sequence[int]) -> str:
    return f"{statistics.median(numbers):g} / {_p90(numbers)} / {max(numbers)}"


def _p90(numbers: Sequence[int]) -> int:
    return sorted(numbers)[len(numbers) * 9 // 10]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"


if __name__ == "__main__":
    main()
