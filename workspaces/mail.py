"""Our own e-mails: three templates each, `templates/emails/<name>_{subject,text,html}`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from smtplib import SMTPException
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)


def send(
    name: str,
    *,
    to: str,
    context: dict[str, Any],
    on_failure: Callable[[], object] | None = None,
) -> None:
    """Send one message once the transaction has committed; nothing if it does not.

    Not by a job: a queued message would lie in the database, link and all. What the mail server
    refuses is logged, and `on_failure` is called so that people can be told. Links in `context`
    must be made of SITE_URL, never of the request's Host header.
    """
    subject = " ".join(render_to_string(f"emails/{name}_subject.txt", context).split())
    message = EmailMultiAlternatives(
        subject=subject, body=render_to_string(f"emails/{name}_text.txt", context), to=[to]
    )
    message.attach_alternative(render_to_string(f"emails/{name}_html.html", context), "text/html")

    def deliver() -> None:
        try:
            message.send()
        except (SMTPException, OSError):
            logger.exception("the %s mail could not be sent", name)
            if on_failure:
                on_failure()

    transaction.on_commit(deliver)
