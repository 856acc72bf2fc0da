"""One lead in words: as it is now, by the APIs; as it was at any moment, by the topics."""
