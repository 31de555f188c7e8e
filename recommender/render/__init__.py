"""One decision in the words of those who carry it out.

Law: pure. A renderer takes a `recommender.decision.Decision` and returns text or plain values; it decides nothing, asks
nobody and raises `NotRenderableError` where a decision has nothing that its scheduler could be told.
"""
