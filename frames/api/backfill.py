"""The past: what Claude Code's transcripts tell, as `stackmemory push --claude-code` sends it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from frames.accepting import Answer
from frames.appending import MOST_BYTES
from frames.capture import claude_code
from frames.capture.backfilling import MOST_REPORTS, Report, backfill
from frames.capture.keeping import Sent
from stackmemory.lib.contract import In, Line, Moment, Out, actor_of
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Refusal

router = Router(tags=["Capture"])


class ReportIn(In):
    at: Moment
    delivery: str = Field(
        min_length=1,
        max_length=90,
        pattern=r"^[!-9;-~]+$",
        description="The transcript's own id for what this is about.",
    )
    hook: dict[str, Any] = Field(description="What the hook would have been given.")


class TranscriptPart(In):
    project: Line = Field("", description="The repository's name.")
    branch: Line = ""
    host: Line = ""
    reports: list[ReportIn] = Field(
        max_length=MOST_REPORTS, description="Of one session, in their order."
    )


class Rejected(Out):
    index: int
    code: str
    message: str
    field: str | None


class Told(Out):
    created: int
    duplicate: int
    rejected: list[Rejected]


@router.post(
    "/hooks/claude-code/past",
    response=Told,
    summary="Report the past of a Claude Code session",
    operation_id="report_past_of_claude_code",
)
@permits("write", once=False, most_bytes=MOST_BYTES)
def report_past(request: HttpRequest, body: TranscriptPart) -> Any:
    """What its hooks would have said, from a transcript: at most 2,000 reports or 8 MB, of one
    session and in their order. It meets what hooks have captured by the same ids and keeps it once,
    so it may be sent again. No session is woken and no frame opened again by it."""
    reports = [Report(claude_code.read(each.hook), each.at, each.delivery) for each in body.reports]
    if len({report.hook.session for report in reports}) > 1:
        raise Refusal("invalid", "Reports of one session only.", field="reports")
    sent = Sent(project=body.project, branch=body.branch[:255], host=body.host[:255])
    answers = backfill(actor=actor_of(request), sent=sent, reports=reports)
    counts = [answer.outcome for answer in answers]
    return Told(
        created=counts.count("created"),
        duplicate=counts.count("duplicate"),
        rejected=[_told(n, each) for n, each in enumerate(answers) if each.outcome == "rejected"],
    )


def _told(index: int, answer: Answer) -> Rejected:
    return Rejected(
        index=index, code=answer.code, message=answer.message, field=answer.field or None
    )
