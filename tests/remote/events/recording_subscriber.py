"""A subscriber of the event bus that keeps what it receives."""

from __future__ import annotations


class RecordingSubscriber:
    """Record the received events."""

    def __init__(self):
        self.messages = []

    def enqueue(self, message):
        self.messages.append(message)

    @property
    def received(self):
        """Text and number of each log line."""
        return [(message.body.message, message.number) for message in self.messages]
