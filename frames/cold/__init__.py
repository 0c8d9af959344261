"""Cold storage: events of months long past lie in the object store and are read from there.

How a month leaves is in moving.py, how it comes back in restoring.py; reading.py is what timelines
and exports ask, late.py what appending asks, forgetting.py what erasure and retention ask.
"""
