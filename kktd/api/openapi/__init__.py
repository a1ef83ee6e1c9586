"""The API's own description; loaded for the first who asks for it, never at start."""
