"""demo: the main job on real text that every machine has, the docstrings of Python's standard library."""

from __future__ import annotations

import ast
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearsense._progress import Progress, tracked
from nearsense.cli.options import ModelOptions, takes
from nearsense.errors import FileError, MissingExtra
from nearsense.records import Document
from nearsense.terminal import steerable

if TYPE_CHECKING:
    from rich.console import Console

    from nearsense.encoders import Encoder

QUESTIONS = (
    "read a csv file into dictionaries",
    "wait for several threads to finish",
    "undo a change to the environment in a test",
    "delete a folder with everything in it",
    "how much space is left on the disk",
    "the value in the middle of sorted numbers",
    "keep only the n largest items",
)

PAIRS = (
    ("A dog is playing in the park.", "A puppy is running outside."),
    ("The stock market crashed today.", "Investors lost billions overnight."),
    ("Python is a popular programming language.", "Many developers use Python for data science."),
    ("She loves reading mystery novels.", "The weather forecast shows heavy rain."),
    ("How to enable two-factor login", "How to disable two-factor login"),
)

PHRASES = (
    "I forgot my password.",
    "How do I reset my login?",
    "My parcel has not arrived yet.",
    "When will my order be delivered?",
    "I want my money back.",
    "How do refunds work?",
    "The app crashes when it starts.",
    "The program closes by itself on launch.",
)


IN_LANGUAGE = {
    "it": (
        "aspettare che un thread finisca", "comprimere un file", "aprire una pagina nel browser",
        "la mediana di alcuni numeri",
    ),
    "de": (
        "warten, bis ein Thread fertig ist", "eine Datei komprimieren", "eine Seite im Browser öffnen",
        "der Median von Zahlen",
    ),
    "fr": (
        "attendre la fin d'un thread", "compresser un fichier", "ouvrir une page dans le navigateur",
        "la médiane de nombres",
    ),
    "es": (
        "esperar a que termine un hilo", "comprimir un archivo", "abrir una página en el navegador",
        "la mediana de unos números",
    ),
    "zh": ("等待线程结束", "压缩文件", "在浏览器中打开网页", "随机选择一个元素"),
}  # fmt: skip
"""Questions in other languages, of those that are answered well; the docstrings stay English."""

MULTILINGUAL = "multilingual-e5-small-4bit"
"""What runs where a language is named and no model: it comes without a hub, too."""


@click.command()
@click.option(
    "-o", "--output", default="demo-output", show_default=True, metavar="FOLDER", help="For the picture."
)
@click.option(
    "--language",
    type=click.Choice(tuple(IN_LANGUAGE)),
    help=f"Ask in this language, with {MULTILINGUAL}: English docstrings are found all the same.",
)
@takes(model=ModelOptions)
def demo(output: str, language: str | None, model: ModelOptions) -> None:
    """See nearsense work on the docstrings of Python's standard library.

    \b
    Examples:
      nearsense demo
      nearsense demo --language it
    """
    from rich.console import Console

    from nearsense.cli.outputs import require_outside

    started = time.monotonic()
    console = Console(file=steerable(sys.stdout), highlight=False)
    if language is not None:
        encoder = model.but(model=model.model or MULTILINGUAL).load()
        console.rule("[bold]Questions in one language, texts in another", align="left")
        _questions(console, encoder, model.progress, IN_LANGUAGE[language])
        console.print(f"All of this took {time.monotonic() - started:.0f} s.", style="dim")
        return
    folder = Path(output)
    require_outside("-o", str(folder / "heatmap.png"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or ""
        raise FileError(f"{folder} cannot be made", why=why, fix="name another --output") from None
    encoder = model.load()
    console.rule("[bold]Questions in plain words", align="left")
    _questions(console, encoder, model.progress, QUESTIONS)
    console.rule("[bold]Pairs of texts", align="left")
    _pairs(console, encoder)
    console.rule("[bold]Everything against everything", align="left")
    _heatmap(console, encoder, folder)
    console.rule("[bold]The same on your own file", align="left")
    console.print(YOUR_TURN, markup=False)
    console.print(f"All of this took {time.monotonic() - started:.0f} s.", style="dim")


COMMANDS = (demo,)

YOUR_TURN = """\
  nearsense search FILE "your question"          find by meaning; csv, jsonl, txt, parquet, ...
  nearsense rank "one text" FILE                 order all texts by nearness to one
  nearsense compare "one text" "another"         or --pairs FILE
  nearsense matrix FILE --plot heatmap.png       every text against every other
  nearsense encode FILE -o vectors.npy           keep the vectors
  nearsense --help                               the rest
"""


def _questions(console: Console, encoder: Encoder, progress: bool, questions: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from nearsense.lexical import jaccard
    from nearsense.search import search_vectors

    documents = docstrings(progress=progress)
    texts = [document.text for document in documents]
    start = time.monotonic()
    vectors = encoder.encode(texts, role="passage", long="head", progress=progress)
    took = time.monotonic() - start
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    console.print(
        f"In {len(texts):,} docstrings of the standard library of Python {python}, encoded by {encoder.name} "
        f"in {took:.1f} s ({len(texts) / took:,.0f} texts/s); beside it, the most words in common.\n",
        style="dim",
    )
    for question, hits in zip(
        questions, search_vectors(questions, vectors, documents=documents, k=2, encoder=encoder), strict=True
    ):
        shared = jaccard(question, texts)
        best = documents[int(shared.argmax())]
        table = Table.grid(padding=(0, 2), expand=True)
        for ratio in (None, None, 2, 3):
            table.add_column(ratio=ratio, no_wrap=True, overflow="ellipsis")
        for hit in hits:
            table.add_row("  in sense", f"{hit.score:.2f}", Text(hit.id, "green"), Text(hit.text or ""))
        table.add_row("  in words", f"{shared.max():.2f}", Text(best.id), Text(best.text), style="dim")
        console.print(question, style="bold", markup=False)
        console.print(table)
    console.print()


def _pairs(console: Console, encoder: Encoder) -> None:
    from nearsense.compare import compare_pairs
    from nearsense.render import Form, show
    from nearsense.render.results import comparison_page

    show(comparison_page(compare_pairs(PAIRS, encoder=encoder), single=False), Form.TABLE)


def _heatmap(console: Console, encoder: Encoder, folder: Path) -> None:
    from nearsense.compare import matrix
    from nearsense.plots import heatmap, matplotlib

    try:
        matplotlib(purpose="drawing the heatmap")
    except MissingExtra as error:
        console.print(f"No picture: {error.what}. {error.fix}\n", markup=False)
        return
    heatmap(matrix(PHRASES, encoder=encoder), folder / "heatmap.png", title="Eight messages of customers")
    console.print(f"{folder / 'heatmap.png'}: {len(PHRASES)} messages of customers; the pairs stand out.\n")


SKIPPED = {"site-packages", "test", "tests", "idlelib", "turtledemo", "lib2to3", "__pycache__", "ensurepip"}

Named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

SHORTEST = 4
"""Words that a docstring must have to say something."""


def docstrings(*, progress: Progress = False) -> list[Document]:
    """The first paragraph of each public docstring of the standard library once, by its name: `csv.DictReader`."""
    import sysconfig

    root = Path(sysconfig.get_paths()["stdlib"])
    files = [file for file in sorted(root.rglob("*.py")) if _is_public(file.relative_to(root))]
    found: dict[str, Document] = {}
    names: set[str] = set()
    with tracked(len(files), "files", progress) as update:
        for number, file in enumerate(files, 1):
            for name, text in _of_file(file, ".".join(file.relative_to(root).with_suffix("").parts)):
                if name not in names and len(text.split()) >= SHORTEST and text not in found:
                    names.add(name)
                    found[text] = Document(id=name, text=text)
            update(number)
    return list(found.values())


def _is_public(file: Path) -> bool:
    parts = file.with_suffix("").parts
    return not any(part in SKIPPED or (part.startswith("_") and part != "__init__") for part in parts)


def _of_file(file: Path, module: str) -> Iterator[tuple[str, str]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own invalid escapes are not ours to report
            tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError, OSError):
        return
    yield from _of_node(tree, module.removesuffix(".__init__"))


def _of_node(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, (ast.Module, *Named)) and (text := ast.get_docstring(node)):
        yield name, " ".join(text.split("\n\n")[0].split())
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.If, ast.Try)):
            yield from _of_node(child, name)
        elif isinstance(child, Named) and not child.name.startswith("_"):
            yield from _of_node(child, f"{name}.{child.name}")
