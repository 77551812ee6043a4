"""Documents of many formats as texts with structure, and their passages. Not how passages are kept or found.

formats.py    which files are documents, and who reads them: markdown, markup, office, pdf, ...
blocks.py     what readers make: a text and its blocks     folder.py      which files are meant
reading.py    files in, documents out                      worker.py      the process for risky formats
splitting.py  documents in, passages out                   passages.py    what a passage says of itself
"""
