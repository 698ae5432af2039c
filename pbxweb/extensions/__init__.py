"""Phones and their numbers."""
