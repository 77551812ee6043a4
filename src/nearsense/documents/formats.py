"""Which files are documents, by their extensions, and who reads them. Not how."""

from __future__ import annotations

from glob import has_magic
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from nearsense._paths import expanded, is_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from nearsense.documents.blocks import Content


class Reader(NamedTuple):
    """Who reads a format: a function of a module of this package.

    One that takes bytes runs in a process of its own, bounded in time and memory; one that takes text, here.
    """

    format: str
    module: str
    function: str
    binary: bool = True

    def load(self) -> Callable[..., Content]:
        """The function, its module imported."""
        found: Callable[..., Content] = getattr(import_module(f"nearsense.documents.{self.module}"), self.function)
        return found


TEXT = Reader("txt", "plain", "read_text", binary=False)
CODE = Reader("code", "plain", "read_code", binary=False)

_CODE = (
    "py pyi js mjs cjs ts tsx jsx java c h cc cpp cxx hpp hh cs go rs rb php swift kt kts scala sh bash zsh fish"
    " ps1 sql r jl lua pl pm m mm dart ex exs erl hs ml mli clj cljs lisp el vb f90 f95 pas groovy nim zig proto"
)

READERS: dict[str, Reader] = {
    **dict.fromkeys(_CODE.split(), CODE),
    "txt": TEXT,
    "text": TEXT,
    "md": Reader("md", "markdown", "read_markdown", binary=False),
    "rst": Reader("rst", "plain", "read_rst", binary=False),
    "adoc": Reader("adoc", "plain", "read_signs", binary=False),
    "org": Reader("org", "plain", "read_signs", binary=False),
    "tex": Reader("tex", "plain", "read_tex", binary=False),
    "html": Reader("html", "markup", "read_html"),
    "pdf": Reader("pdf", "pdf", "read_pdf"),
    "docx": Reader("docx", "office", "read_docx"),
    "pptx": Reader("pptx", "office", "read_pptx"),
    "epub": Reader("epub", "markup", "read_epub"),
    "eml": Reader("eml", "mail", "read_eml"),
    "ipynb": Reader("ipynb", "markdown", "read_ipynb"),
}
READERS |= {
    other: READERS[known]
    for other, known in {
        "markdown": "md", "mdx": "md", "qmd": "md", "rest": "rst", "asciidoc": "adoc", "htm": "html",
        "xhtml": "html", "docm": "docx", "pptm": "pptx", "mht": "eml", "mhtml": "eml",
    }.items()
}  # fmt: skip

BARE = frozenset({"readme", "license", "licence", "copying", "authors", "changes", "changelog", "news", "todo"})
"""Files of plain text that have no extension."""


def extension_of(name: str) -> str:
    """A file's extension in lower case, without the point."""
    return PurePath(name).suffix.lower().removeprefix(".")


def is_document(name: str) -> bool:
    """Whether a file of some name is read where it lies in a folder."""
    return extension_of(name) in READERS or name.lower() in BARE


def is_table(name: str) -> bool:
    """Whether what is called so is read as a table of texts where nothing else is said: txt is, a line a text."""
    if name == "-":
        return True
    path = expanded(name)
    return not (is_folder(path) or has_magic(name) or (is_document(path.name) and extension_of(name) != "txt"))


def reader_of(name: str) -> Reader:
    """Who reads a file of some name; as plain text what nobody knows."""
    return READERS.get(extension_of(name), TEXT)
