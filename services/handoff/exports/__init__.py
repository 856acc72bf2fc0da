"""Opportunities as files for spreadsheets."""
