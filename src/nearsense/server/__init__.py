"""The HTTP server: what verbs answer, asked over the network. Nothing is computed here; the verbs do that.

settings.py   what the operator decided      safety.py, protocol.py   who may ask, and how much
service.py    what is served, opened once    queue.py                 texts of all requests, encoded together
requests.py   what may be asked of a verb    work.py                  verbs in a bounded pool of threads
verbs.py      the routes of the verbs        metrics.py, logs.py      how it goes
app.py        all of it joined               errors.py                what a client is told when it fails
admission.py  who is told at once that there is no room

The rooms beside: spoken/ (what clients of others already say), jobs.py (collections that change), mcp.py
(assistants), pages.py and page/ (people).
"""
