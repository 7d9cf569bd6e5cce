"""The one door for alerts, whichever way they come: POST, polled feeds, Kafka."""
