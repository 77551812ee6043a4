"""A month at a help desk: what is asked is logged, what got no answer is found, an entry is written, and helps.

Everything lies in a folder that is removed at the end.
"""

import tempfile

import nearsense as ns

ARTICLES = {
    "returns": "How to return a product: send it back by post within 30 days; we pay for the label.",
    "shipping": "How long shipping takes: your parcel arrives within three to five business days.",
    "payment": "How you can pay: by credit card, PayPal or bank transfer.",
    "tracking": "How to track an order: the tracking number is in the mail that we send you.",
}
GIFTS = ns.Document("gifts", "Where to buy a gift card: we sell gift cards and vouchers in the shop and online.")
ASKED = [
    "how long until my parcel arrives", "where can I buy a gift card", "can I pay by bank transfer",
    "how can I return my shoes", "do you sell gift cards", "gift card for a friend?", "is my dog welcome?",
    "are dogs allowed in the shop", "where is the tracking number", "do you have gift vouchers",
]  # fmt: skip


def main(place):
    desk = ns.open(f"{place}/desk.nearsense")
    desk.add([ns.Document(name, text) for name, text in ARTICLES.items()])
    desk.set_log(True)  # for every program that opens it from now on, as `nearsense log desk.nearsense --on`

    for question in ASKED:
        hits = desk.search(question, k=3)
        if hits[0].probability > 0.5:  # who reads an article tells that it was the right one
            desk.log.choose(hits, hits[0])

    entries = list(desk.log.entries(since="30d"))
    silent = [entry.query for entry in entries if not entry.answered]
    print(f"{len(entries)} questions, {len(silent)} without an answer. What these were about:\n")
    for group in desk.log.unanswered(since="30d"):
        print(f"  asked {group.count} times: {group.label} (nearest: {group.nearest[0][0]})")

    print("\nAn article is written, and the same is asked again.")
    desk.add([GIFTS])
    answered = sum(bool(hits) for hits in desk.search_many(silent, min_probability=0.5))
    print(f"{answered} of {len(silent)} have an answer now.")

    slow = max(desk.log.entries(), key=lambda entry: entry.latency)
    print(f"\nThe slowest took {1000 * slow.latency:.0f} ms: {slow.query}")
    print("removed from the disk:", desk.log.forget("Is my dog welcome?"))
    print("written to a file:", desk.log.export(f"{place}/queries.jsonl"))
    desk.close()


with tempfile.TemporaryDirectory() as folder:
    main(folder)
