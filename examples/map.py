"""Texts in the plane: a page to look around in, and what lies near what."""

from pathlib import Path
from tempfile import mkdtemp

import nearsense as ns

kinds = {
    "parcel": ["Where is my {}?", "My {} is late.", "The {} has not come.", "When will the {} arrive?"],
    "card": ["I lost my {}.", "My {} was stolen.", "Please block the {}.", "I need a new {}."],
    "password": ["I forgot my {}.", "How do I reset the {}?", "Change my {}, please.", "The {} does not work."],
}
texts = [line.format(thing) for thing, lines in kinds.items() for line in lines]
found = ns.map(texts, clusters=ns.cluster(texts, k=3), duplicates=ns.duplicates(texts, min_probability=0.5))
print(found)
for name, (x, y) in zip(texts, found.points, strict=True):
    print(f"{x:+.2f} {y:+.2f}  {name}")
page = Path(mkdtemp()) / "map.html"
found.save(page, title="What people ask")
print(page.stat().st_size, "bytes in one page")
