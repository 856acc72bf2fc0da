"""Files of people (business cards, trade fairs, lists) as touches: read, repaired, mapped, joined, sent.

Everything but `sending` and `telling` is pure once the file is in memory: a dry run does what a run does, and stops before
it sends.
"""
