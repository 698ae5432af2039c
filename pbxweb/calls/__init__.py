"""Live calls and the history of calls."""
