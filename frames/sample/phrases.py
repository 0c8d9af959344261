"""What is said again and again in everyday work."""

from __future__ import annotations

PLANS = (
    "I'll find where this comes from before changing anything, write a test that shows it, then fix it.",
    "First reproduce it, then look for other places with the same shape.",
    "Reading the code around it first. I'd like to see whether this was ever right.",
    "Two files come to mind. Let me look at both and at what the tests say today.",
    "Small change, I think, but somebody may rely on how it is now. Searching for callers first.",
)
LOOKS = (
    "Where does it come from?",
    "Read the code around it",
    "Who relies on this?",
    "Reproduce it",
)
DOUBTS = (
    "The name suggests otherwise, so check who calls it.",
    "This is older than the tests around it.",
    "Nothing here explains it yet. One level up.",
    "That explains the symptom, but not why it started last week.",
    "Two callers, both expect the old answer when the list is empty.",
)
SLIPS = (
    ("The fixture builds its rows in one second", "Every row of the fixture has the same time, so the order is up to the database. The clock fixture gives each its own."),
    ("A second caller passes a list, not a queryset", "One caller hands in a list. Turned the helper's argument into an iterable and counted in Python there."),
    ("The old behaviour was asserted by name", "A test asserted the bug. It says now what the ticket says, and refers to it."),
    ("Types disagree with the docstring", "The docstring promised None, the type said it cannot happen. It can: the type is right now."),
    ("Passes alone, fails in the suite", "A module-level cache kept the first test's answer. The cache is keyed by shop now."),
    ("Snapshot differs in one line", "The snapshot holds a rendered date. It is frozen now, and the snapshot was read before it was accepted."),
)  # fmt: skip
DEEPER = (
    "Bisect the suite",
    "What does the cache hold?",
    "Read the library's source",
    "Try it in a shell",
)
SELF_REVIEW = (
    "Read the change once more: one name says more than it does, renamed. The rest stands.",
    "Reviewed own diff. An unused import and a comment that repeated the line are gone.",
    "Second look: the edge case of an empty list has a test now.",
)
