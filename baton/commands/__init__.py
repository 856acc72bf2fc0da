"""The commands, one file each: arguments, words, and nothing else.

What only one command needs it imports when it runs: drivers and clients take longer to load than `baton --help` may take.
"""
