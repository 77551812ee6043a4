"""What is said twice, which rows can go, and why."""

import nearsense as ns

tickets = [
    ns.Document("1", "The dashboard freezes after login", {"opened": "2024-03-01"}),
    ns.Document("2", "After login the dashboard freezes", {"opened": "2024-03-05"}),
    ns.Document("3", "Please refund my invoice", {"opened": "2024-02-11"}),
    ns.Document("4", "please refund my invoice!", {"opened": "2024-02-12"}),
    ns.Document("5", "Please pay 15 dollars by Monday", {"opened": "2024-02-20"}),
    ns.Document("6", "Please pay 51 dollars by Monday", {"opened": "2024-02-21"}),
]
found = ns.duplicates(tickets, min_probability=0.8, keep="newest:opened")
print(found)
for row in found.dropped:
    print(f"{row.id} gives way to {row.kept}: {row.reason}")
print("stay:", [document.id for document in found.unique])

# The pair that only looks alike is named, and never grouped.
for pair in ns.duplicates(tickets, min_score=0.7).pairs:
    print(pair)

# New rows against an archive: what do we have already?
archive = ["I want my money back for this invoice", "The dashboard freezes after login."]
print([document.text for document in ns.duplicates(tickets, against=archive).unique])
