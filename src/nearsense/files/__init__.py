"""Read and write txt, csv, json, jsonl, parquet and npy; read workbooks and databases; write xlsx and md.

Nothing of models or verbs.

A file becomes a `Table` (columns, line numbers, perhaps vectors); a table becomes documents or pairs of texts.
Whatever is wrong with a file is one `FileError` that names the file and the line, and says what to type.
"""

from nearsense.files.dialect import Dialect
from nearsense.files.documents import Documents, documents, has_texts, text_pairs
from nearsense.files.formats import Format
from nearsense.files.matrices import read_matrix, read_vectors, write_matrix
from nearsense.files.reading import read_table
from nearsense.files.receivers import ids_beside, receiver_of, write_for
from nearsense.files.streams import atomic_write, new_folder, no_input, require_absent, require_place
from nearsense.files.table import Table
from nearsense.files.vectors import VectorParts, VectorRows
from nearsense.files.writing import (
    formulas_escaped,
    require_table_target,
    require_vectors_target,
    write_table,
    write_vectors,
)

__all__ = [
    "Dialect",
    "Documents",
    "Format",
    "Table",
    "VectorParts",
    "VectorRows",
    "atomic_write",
    "documents",
    "formulas_escaped",
    "has_texts",
    "ids_beside",
    "new_folder",
    "no_input",
    "read_matrix",
    "read_table",
    "read_vectors",
    "receiver_of",
    "require_absent",
    "require_place",
    "require_table_target",
    "require_vectors_target",
    "text_pairs",
    "write_for",
    "write_matrix",
    "write_table",
    "write_vectors",
]
