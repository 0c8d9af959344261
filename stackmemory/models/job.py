"""One job of the queue, from when it is asked for until some days after its end."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

ALIVE = ("waiting", "running")


class Job(models.Model):
    """lib/broker.py hands these out and lib/queue.py keeps what became of them."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        # Given up after its last attempt: an operator retries or discards it.
        DEAD = "dead", "Given up"

    queue = models.CharField(max_length=100)
    # The dotted path of a function, and what it is called with: ids and words.
    name = models.CharField(max_length=200)
    args = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    # From when on a worker may have it. While one has it, until when it is that worker's alone.
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    # Of jobs with the same word here, one at most is waiting or running.
    once = models.CharField(max_length=100, null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            # What workers ask for, again and again.
            models.Index(
                fields=["queue", "due_at"], name="job_due", condition=models.Q(state__in=ALIVE)
            ),
            models.Index(
                fields=["ended_at"], name="job_ended", condition=models.Q(ended_at__isnull=False)
            ),
            # The last run of a schedule.
            models.Index(
                fields=["once", "-id"], name="job_last", condition=models.Q(once__isnull=False)
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["once"], name="job_once", condition=models.Q(state__in=ALIVE)
            ),
        ]

    def __str__(self) -> str:
        return self.name
