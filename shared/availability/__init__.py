"""When a person can be reached: one calendar for those who choose a rep and for the clocks that then run.

Times are milliseconds since the epoch, spans half open. A calendar is open at an instant when the clock on the wall of its zone
then shows a time within a block of that day, so a block from 01:00 to 03:00 lasts one hour on the day that skips the hour in
between, and three on the day that has it twice. Nothing here reads a clock or a file (but for the rules of time zones).
"""
