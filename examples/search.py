"""A small corpus, searched in plain words; its vectors are kept and searched again."""

import nearsense as ns
from nearsense.files import documents, read_table, write_table, write_vectors

tickets = [
    {"id": "T-1", "text": "The dashboard freezes after login", "status": "open"},
    {"id": "T-2", "text": "Please refund my last invoice", "status": "solved"},
    {"id": "T-3", "text": "Where can I download my receipt?", "status": "open"},
]
write_table("tickets.csv", tickets)

corpus = documents(read_table("tickets.csv")).items
for hits in ns.search_many(["my screen is stuck", "I want my money back"], corpus, k=1):
    print(hits.query, "->", hits[0].id, hits[0].text, hits[0].metadata)

encoder = ns.load()
texts = [ticket.text for ticket in corpus]
write_vectors("tickets.npy", encoder.encode(texts), ids=[ticket.id for ticket in corpus], texts=texts)
stored = read_table("tickets.npy")
for hit in ns.search_vectors(["proof of payment"], stored.vectors, documents=documents(stored).items, k=2)[0]:
    print(hit)
