"""Mails, by Python's own reader. Attachments are named, and not opened."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from nearsense.documents.blocks import Assembler, Content, Kind
from nearsense.documents.markup import of_html
from nearsense.documents.plain import read_text
from nearsense.errors import FileError


def read_eml(path: Path) -> Content:
    """The subject as heading and title, then the body: the plain one where there are two."""
    content = path.read_bytes()
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
    if not message.keys():
        raise FileError(f"{path} is no mail", why="it does not begin with headers", fix="save it as .eml again")
    made = Assembler()
    subject = _header(message, "subject")
    made.add(subject, Kind.HEADING, level=1)
    body = message.get_body(("plain", "html"))
    if body is not None:
        text = _text(body)
        made.append(
            of_html(text, str(path)) if body.get_content_subtype() == "html" else read_text(text), deeper=1
        )
    known: dict[str, Any] = {name: _header(message, name) for name in ("from", "to", "date")}
    attached = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    return made.content(title=subject, **known, attachments=attached[:100])


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _text(body: MIMEPart) -> str:
    """What a part says, in whatever characters it claims."""
    try:
        return str(body.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError):
        raw = body.get_payload(decode=True)
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""
