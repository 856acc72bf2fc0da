"""Facts about leads and companies as people write them, in the words of the vocabulary; no I/O."""
