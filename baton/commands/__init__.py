"""The commands, one file each: arguments, words, and nothing else."""
