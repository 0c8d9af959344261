"""How the rows of each table of a local store become ours, and back again.

Every module has a way in (`…_fields`: a source row to the values of our columns) and a way out
(`…_row`: our row to the source's columns). What the way out cannot say from our columns is found
while importing, by trying it, and kept beside the row as `source["raw"]`: so nothing is lost, by
construction.
"""
