from frames.models.activity import Activity
from frames.models.anchor import Anchor
from frames.models.archived_period import ArchivedPeriod
from frames.models.erased import Erased
from frames.models.event import Event
from frames.models.event_key import EventKey
from frames.models.export import Export
from frames.models.frame import Frame
from frames.models.hand_off import HandOff
from frames.models.kept_row import KeptRow
from frames.models.payload import PayloadUse, StoredPayload
from frames.models.project import Project
from frames.models.revision import Revision
from frames.models.session import AgentSession
from frames.models.task import Task
from frames.models.transfer import Transfer, TransferItem

__all__ = [
    "Activity",
    "AgentSession",
    "Anchor",
    "ArchivedPeriod",
    "Erased",
    "Event",
    "EventKey",
    "Export",
    "Frame",
    "HandOff",
    "KeptRow",
    "PayloadUse",
    "Project",
    "Revision",
    "StoredPayload",
    "Task",
    "Transfer",
    "TransferItem",
]
