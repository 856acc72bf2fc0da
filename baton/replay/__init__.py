"""Sending what was recorded: a file of touches, or a data set, through the real client library, and accounting for all of it."""
