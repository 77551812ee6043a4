"""What are these messages about, what stands out, and where do new ones belong?"""

import os
from pathlib import Path

import nearsense as ns
from nearsense.files import read_table

messages = [
    *("I lost my card on the train", "My card was stolen last night", "Someone took my bank card"),
    *("Where is my parcel?", "The parcel has not arrived", "My parcel is a week late"),
    *("Why is the exchange rate so bad?", "Which exchange rate do you use?", "The exchange rate was wrong"),
    "Do whales sleep?",
]
clusters = ns.cluster(messages)
print(clusters)
print(repr(clusters))
for cluster in clusters:
    print(f"{cluster.label}: “{cluster.exemplar.text}”, cohesion {cluster.cohesion:.2f}")
print("stands alone:", clusters.outliers(1)[0].text)

clusters.save("known.clusters")
new = ns.load_clusters("known.clusters").assign(["Has my parcel been sent?", "Can I pay in cash?"])
print(new.labels)

tweets = Path(os.environ.get("NEARSENSE_DATA", "data")) / "clustering/tweet2472.jsonl.gz"
if tweets.is_file():
    found = ns.cluster(read_table(tweets).columns["text"])
    print(repr(found))
    for theme in found.themes:
        print(theme.label, "-", ", ".join(each.label for each in found if each.parent == theme.id)[:80])
