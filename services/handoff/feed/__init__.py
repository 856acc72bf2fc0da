"""The change feed: everything that handoff has told, for systems that would rather ask than be called."""
