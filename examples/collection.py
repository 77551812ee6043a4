"""A collection's life: fill, search, filter, follow a file, delete, compact, back up, restore.

It takes 20,000 real headlines where the evaluation data is there (NEARSENSE_DATA, or ../shared/data beside the
repository), else a few hundred that are made up here. Everything lies in a folder that is removed at the end.
"""

import gzip
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import nearsense as ns
from nearsense.files import write_table

DATA = Path(os.environ.get("NEARSENSE_DATA") or Path(__file__).parents[2] / "shared" / "data")
PLACES = ["toronto", "singapore", "hong kong", "sydney", "perth", "hobart", "darwin", "cairns", "bendigo", "dubbo"]
EVENTS = [
    "sars continues to spread in {}", "thousands march for peace in {}", "storm damages homes in {}",
    "rain brings relief to farmers near {}", "nurses strike at {} hospital", "{} council rejects new pipeline",
    "police find stolen car in {}", "fire destroys {} factory", "{} airport cuts jobs", "{} team wins final",
    "festival opens in {}", "shark seen off {}", "petrol prices rise again in {}", "{} school gets new library",
    "man rescued from river near {}", "mayor of {} resigns", "{} museum shows rare coins", "bus fares go up in {}",
    "{} water is safe to drink", "volunteers plant trees in {}", "{} miner finds gold", "union and {} port agree",
    "ferry to {} delayed", "scientists meet in {}", "{} hotel sold", "new hospital wing for {}",
    "drought hits vineyards near {}", "{} court frees journalist", "flu vaccine arrives in {}", "{} gets a tram",
]  # fmt: skip


def headlines():
    """Rows of id, text, date."""
    file = DATA / "headlines" / "abc-2003.jsonl.gz"
    if file.is_file():
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines][:20_000]
    else:
        print(f"{file} is not there: made-up headlines instead")
        texts = [event.format(place) for event in EVENTS for place in PLACES]
        found = [{"text": text, "date": f"2003{2 + i % 4:02}{1 + i % 28:02}"} for i, text in enumerate(texts)]
    return [{"id": f"H{i}", "text": row["text"], "date": iso(row["date"])} for i, row in enumerate(found)]


def iso(date):
    """20030219 as 2003-02-19: text that has an order is what a filter needs."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}"


def show(title, hits):
    print(f"\n{title}")
    for hit in hits:
        print(f"  {hit.score:.4f}  {hit.id:<7} {hit.metadata['date']}  {hit.text}")


def on_disk(folder, text):
    """Whether a text is anywhere in the files of a folder."""
    return any(text.encode() in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def main(place):
    rows = headlines()
    write_table(place / "headlines.csv", rows)

    # Fill: into an empty collection, a sync adds everything.
    news, start = ns.open(place / "news.nearsense"), time.perf_counter()
    print(f"sync: {news.sync(place / 'headlines.csv')}, {time.perf_counter() - start:.1f} s")
    news.build()  # would happen by itself when much has changed

    # Search.
    april = {"date": {">=": "2003-04-01", "<": "2003-05-01"}}
    show("by meaning:", news.search("an illness from asia spreads", k=3))
    show("the same, in April only:", news.search("an illness from asia spreads", k=3, where=april))
    show("by words:", news.search("sars in toronto", k=3, mode="lexical"))
    show("by both:", hits := news.search("sars in toronto", k=3, mode="hybrid"))
    show(f"more like {hits[0].id}:", news.similar(hits[0].id, k=3))

    # The file changes, the collection follows. Two rows are encoded: the new one and the one with another text.
    removed = [rows.pop(1)["text"], rows[0]["text"]]
    rows[0] = rows[0] | {"text": "correction of the headline that stood here"}
    rows.append({"id": "NEW", "text": "penguins stop the traffic at the harbour", "date": "2003-06-03"})
    write_table(place / "headlines.csv", rows)
    print(f"\ndry run: {news.sync(place / 'headlines.csv', dry_run=True)}")
    report = news.sync(place / "headlines.csv")
    print(f"sync: {report}; {report.encoded} encoded")
    show("what is new:", news.search("penguins on the road", k=1))

    # Delete; compact removes from the disk what no search finds any more.
    print(f"\n{news.delete(where={'date': {'<': '2003-03-01'}}):,} deleted, {len(news):,} left")
    print("removed texts on the disk, before compact:", sum(on_disk(news.path, text) for text in removed))
    news.compact()
    print("and after:", sum(on_disk(news.path, text) for text in removed))

    # Back up, lose everything, restore. A backup is a collection: open it where it is, or copy it back.
    news.backup(place / "backup.nearsense")
    news.close()
    shutil.rmtree(news.path)
    shutil.copytree(place / "backup.nearsense", news.path)
    with ns.open(news.path, create=False) as news:
        print(f"\nrestored: {len(news):,} documents; {news.verify()}")
        show("as before:", news.search("penguins on the road", k=1))


with tempfile.TemporaryDirectory() as folder:
    main(Path(folder))
