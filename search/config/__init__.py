"""The settings: their one typed schema, what makes no sense, messages to the user, and places on disk."""
