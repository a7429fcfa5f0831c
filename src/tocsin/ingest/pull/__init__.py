"""Fetches from elsewhere: buckets, queues, APIs; and checks who signed a webhook."""
