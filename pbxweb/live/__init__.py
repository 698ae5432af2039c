"""What happens right now: state from events, and who is told."""
