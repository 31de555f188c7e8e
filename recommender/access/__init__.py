"""Who asks, and what may they see: scopes, tokens, and the part of a snapshot that a scope shows.

Law: knows nothing of HTTP. What a scope does not name is not there: answers are worked out from a snapshot that holds the
asker's own rows alone, and never from a whole one that is trimmed afterwards.
"""
