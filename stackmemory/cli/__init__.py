"""The `stackmemory` command, for people: standard library only, and nothing of the server's code."""

VERSION = "0.1.0"
