"""Django's engine for PostgreSQL, with fewer words between a process and its database.

A small request spends most of its time waiting for answers nobody reads: to BEGIN, to the settings
of a scope, to an UPDATE whose rows are not counted. Here such a statement is held back and travels
with the next one that is asked for its answer; PostgreSQL carries them out in the order they were
given. What fails, fails there, in the same transaction.
"""
