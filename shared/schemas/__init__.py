"""Contracts: what travels on topics and what a policy may say. Pure: no I/O, no clock."""
