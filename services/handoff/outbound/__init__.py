"""What handoff tells other systems: each event as a webhook to every endpoint that asked for it (Standard Webhooks 1.0.0).

A message is a row of the transaction that causes it, a delivery is a row per message and endpoint, an attempt is a row per try.
"""
