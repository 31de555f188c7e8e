"""What only the Kafka log promises: topics, outages of the broker, transactions, security."""
