"""Third-party clients of the recommender's rooms, one adapter each. Their errors become ours here."""
