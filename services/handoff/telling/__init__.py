"""What handoff tells people, by chat or mail, through Apprise: offers, reminders, what was taken back, what is late.

A notification is a row of the transaction that causes it; the teller finds out whom it reaches and when, one row per channel, and
writes it when it is sent, of what holds then. So nothing personal is stored, and nobody hears what is over already.
"""
