"""What only the SQLite log promises: what its file looks like, what it clears away, how it fails."""
