"""Clusters as a table, as rows of the file they are of, and as a report in Markdown. Pages: __init__.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nearsense.records import percent
from nearsense.render import Column, Page, more_of, of, only_if, table

if TYPE_CHECKING:
    from nearsense.clustering import Cluster, Clusters

NOISE = "in no cluster"

REPRESENTATIVES, OUTLIERS = 5, 20  # texts that a report shows of each cluster, and of those that stand alone


def clusters_page(
    clusters: Clusters,
    rows: Sequence[Mapping[str, Any]] | None = None,
    *,
    levels: int = 1,
    most: int | None = None,
) -> Page:
    """The clusters as a table, of `most` at most, and as JSON; as records the rows of the file, else clusters."""
    shown = list(clusters)[:most]
    measured = any(cluster.stability is not None for cluster in clusters)
    columns: list[Column] = [
        ("#>", of("id")),
        ("label", lambda cluster: cluster.label + (" (new)" if cluster.new else "")),
        ("size>", lambda cluster: f"{cluster.size:,}"),
        ("cohesion>", lambda cluster: f"{cluster.cohesion:.2f}"),
        *only_if(measured, ("stable>", _stability)),
        ("exemplar", lambda cluster: "" if cluster.exemplar is None else cluster.exemplar.text),
    ]
    above = clusters.themes if levels > 1 else None
    titles = {} if above is None else {theme.id: f"{theme.label} ({theme.size:,})" for theme in above}
    groups = [(title, [each for each in shown if each.parent == id_]) for id_, title in titles.items()]
    groups += [("under no theme", [each for each in shown if each.parent is None])] if titles else []
    pages = [Page(**table(inside, *columns), title=title) for title, inside in groups if inside]
    return Page(
        clusters.to_dict(),
        clusters.to_dicts() if rows is None else rows,
        **table(shown, *columns),
        note=more_of(len(clusters) - len(shown), "clusters", f"--show {len(clusters)}") + note_of(clusters),
        groups=pages,
    )


def _stability(cluster: Cluster) -> str:
    return "" if cluster.stability is None else f"{cluster.stability:.2f}"


def note_of(clusters: Clusters) -> str:
    """What a reader has to know: how much is covered, and what the columns say."""
    texts, outside = len(clusters.ids), len(clusters.noise)
    said = f"{texts:,} texts, {len(clusters):,} clusters by {clusters.method}"
    if not clusters.exact:
        said += " (approximate: found among each text's nearest neighbours)"
    if outside:
        said += f"; {outside:,} texts ({percent(outside / texts)}) {NOISE}"
        if clusters.method == "density":
            said += ", without --strict fewer" if clusters.strict else ", --strict leaves dense clusters alone"
            said += ", -k N puts each into one of N"
    return said + ". Cohesion: mean cosine similarity of two texts of a cluster."


def added_columns(clusters: Clusters, levels: int = 1) -> tuple[str, ...]:
    """The columns of `cluster_rows` that no file has; one of the same name in a file gives way."""
    above = ("theme", "theme_label") if levels > 1 and clusters.themes is not None else ()
    within = ("part", "part_label") if levels > 2 else ()
    return (*above, "cluster", "cluster_label", *within, "strength")


def cluster_rows(
    clusters: Clusters, columns: Mapping[str, Sequence[Any]], *, levels: int = 1
) -> list[dict[str, Any]]:
    """The n rows of a table with what their texts belong to; levels: 2 says the theme too, 3 also the part.

    theme, theme_label (where there are any), cluster, cluster_label, part, part_label, strength stand behind the
    other columns; -1 and None where a text is in no cluster.
    """
    labels = {cluster.id: cluster for cluster in clusters}
    themes = {theme.id: theme.label for theme in clusters.themes or ()} if levels > 1 else {}
    parts = dict(_parts(clusters)) if levels > 2 else {}
    added = added_columns(clusters, levels)
    names = [name for name in columns if name not in added]
    own_columns = [columns[name] for name in names]
    found = []
    for row, (id_, label, strength) in enumerate(
        zip(clusters.ids, clusters.labels.tolist(), clusters.strengths.tolist(), strict=True)
    ):
        own = labels.get(label)
        cells = dict(zip(names, [column[row] for column in own_columns], strict=True))
        if levels > 1 and clusters.themes is not None:
            parent = None if own is None else own.parent
            theme = -1 if parent is None else parent
            cells |= {"theme": theme, "theme_label": themes.get(theme)}
        cells |= {"cluster": label, "cluster_label": None if own is None else own.label}
        if levels > 2:
            part, part_label = parts.get(id_, (-1, None))
            cells |= {"part": part, "part_label": part_label}
        found.append({**cells, "strength": round(strength, 4)})
    return found


SMALLEST = 8  # texts of a cluster that is worth looking into


def _parts(clusters: Clusters) -> Iterator[tuple[str, tuple[int, str]]]:
    """One level down: of each text in a cluster of some size the part that it is in."""
    for cluster in clusters:
        if cluster.size >= SMALLEST:
            for part in clusters.split(cluster.id):
                for member in part.members:
                    yield member, (part.id, part.label)


def clusters_report(clusters: Clusters, source: str) -> str:
    """What the texts of a source are about, in Markdown; the clusters have their texts."""
    lines = [f"# What is in {_plain(source)}", "", note_of(clusters), ""]
    origin = clusters.origin
    lines += [f"Model {origin.model}, nearsense {origin.version}.", ""]
    if clusters.themes is not None:
        lines += ["## Themes", "", "| theme | texts | clusters |", "| --- | ---: | --- |"]
        for theme in clusters.themes:
            inside = ", ".join(str(each.id) for each in clusters if each.parent == theme.id)
            lines.append(f"| {_plain(theme.label)} | {theme.size:,} | {inside} |")
        lines.append("")
    lines += ["## Clusters", "", "| cluster | name | texts | share | cohesion | stability |"]
    lines.append("| ---: | --- | ---: | ---: | ---: | ---: |")
    total = max(len(clusters.ids), 1)
    for each in clusters:
        shares = f"{each.size:,} | {each.size / total:.1%} | {each.cohesion:.2f} | {_stability(each)}"
        lines.append(f"| {each.id} | {_plain(each.label)} | {shares} |")
    for each in clusters:
        lines += ["", *_described(clusters, each)]
    if len(clusters.ids) > 1:
        lines += ["", "## Texts that stand alone", "", "Score: cosine similarity to the nearest other text.", ""]
        lines += [
            f"- {hit.score:.2f} {_plain(hit.text or '')} ({_plain(hit.id)})" for hit in clusters.outliers(OUTLIERS)
        ]
    return "\n".join(lines) + "\n"


def _described(clusters: Clusters, cluster: Cluster) -> Iterator[str]:
    """A cluster as a section."""
    yield f"### {cluster.id}: {_plain(cluster.label)}"
    yield ""
    yield f"{cluster.size:,} texts. Keywords: {_plain(', '.join(cluster.keywords)) or 'none'}."
    if cluster.exemplar is not None:
        yield ""
        yield f"> {_plain(cluster.exemplar.text)}"
    if cluster.size > 1:
        yield ""
        for hit in clusters.representatives(cluster.id, REPRESENTATIVES)[1:]:
            yield f"- {_plain(hit.text or '')}"


LONGEST = 300  # characters of a text that a report shows

SIGNS = re.compile(r"[\\`*_{}\[\]<>#|~&$]|(?<=\w):(?=//)|(?<=www)\.")
"""What Markdown gives a meaning anywhere in a line: emphasis, links, tables, entities, formulas."""

LISTED = re.compile(r"^(\d*)([-+=.)])")  # what makes a list or a heading at the beginning of a line
JOINERS = "\u200c\u200d"  # characters without a shape that scripts and emoji need; others could turn a line around


def _plain(text: str) -> str:
    """A text on one line that Markdown takes for nothing else."""
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    line = "".join(sign if sign.isprintable() or sign in JOINERS else "\ufffd" for sign in line)
    return LISTED.sub(r"\1\\\2", SIGNS.sub(r"\\\g<0>", line))
