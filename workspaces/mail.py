"""Our own e-mails: three templates each, `templates/emails/<name>_{subject,text,html}`."""

from __future__ import annotations

from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string


def send(name: str, *, to: str, context: dict[str, Any]) -> None:
    """Send one message once the transaction has committed; nothing if it does not.

    Links in `context` must be made of SITE_URL, never of the request's Host header.
    """
    subject = " ".join(render_to_string(f"emails/{name}_subject.txt", context).split())
    message = EmailMultiAlternatives(
        subject=subject, body=render_to_string(f"emails/{name}_text.txt", context), to=[to]
    )
    message.attach_alternative(render_to_string(f"emails/{name}_html.html", context), "text/html")
    transaction.on_commit(message.send)
