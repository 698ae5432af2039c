"""What every API route shares."""
