"""Reports and the map as HTML pages that need nothing else: no network, one file. Not what they report."""

from __future__ import annotations

from nearsense.pages.evaluation import evaluation_html

__all__ = ["evaluation_html"]
