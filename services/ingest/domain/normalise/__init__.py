"""Facts about leads as senders write them, in the words of the vocabulary."""
