"""Third-party clients of the recommender's rooms, against the real services."""
