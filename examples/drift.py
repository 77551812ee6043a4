"""Is what people ask still what they asked before, and what is behind it?"""

from pathlib import Path

import nearsense as ns
from nearsense.monitoring import Names, actions
from nearsense.pages.drift import drift_html

verbs, things = ("find", "change", "cancel", "pay", "return"), ("order", "ticket", "bill", "login", "refund")
before = [f"how do I {verb} my {thing}" for verb in verbs for thing in things]
outage = [
    f"{what} {how}"
    for what in ("the app", "the website", "your server", "the checkout")
    for how in ("is down", "shows an error", "does not load", "crashed again")
]
found = ns.drift(before[::2] + outage, before)
print(found)
for topic in found.topics:
    print(f"{topic.change.value}: {topic.label}, from {topic.share_before:.0%} to {topic.share:.0%}")
    print("  for example:", "; ".join(topic.examples[:2]))
for action in actions(found, Names("today.csv", "lastmonth.csv")):
    print(action)

print(ns.drift(before[::2], before[1::2]).verdict)

for day in (1, 2, 3):  # a check a day: two months of them speak falsely hardly ever
    check = ns.drift(before[day::3], before, watch="shop.watch", at=1.7e9 + 86_400 * day).check
    print(check.at, f"p {check.p:.3f}, may spend {check.level:.5f}", "ALARM" if check.alarm else "fine")

Path("drift.html").write_text(drift_html(found, "What people ask"), "utf-8")
