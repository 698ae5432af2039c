"""The database, files and secrets at rest."""
