"""What an agent is given: compiled from frames, anchors, digests and events within a token budget,
recorded, explained, and given again word for word (docs/context.md).
"""
