"""What was asked of a collection or a FAQ, what came of it, and what got no answer.

Nothing is logged unless that was asked for, and no answer waits for the log: what was asked is written moments
later, by a thread of its own (store/querylog.py, which also says how it lies on the disk).

log.py      what users hold: entries, choices, forgetting, export
records.py  what it gives, and times as people say them
groups.py   what got no answer, grouped and named
"""

from nearsense.querylog.log import HASHED, QueryLog, beside, log_table, open_log, require_said, said_of
from nearsense.querylog.records import Asked, LoggedQuery, UnansweredGroup, iso, moment

__all__ = [
    "HASHED",
    "Asked",
    "LoggedQuery",
    "QueryLog",
    "UnansweredGroup",
    "beside",
    "iso",
    "log_table",
    "moment",
    "open_log",
    "require_said",
    "said_of",
]
