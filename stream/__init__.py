"""The event log between the stages: the contract, its two implementations, the codec, the consume loop.

Law: stages see `stream.contract` only. Kafka is imported in `kafka_log`, sqlite3 in `sqlite_log`, Arrow in the codecs.
"""
