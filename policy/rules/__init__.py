"""One module per rule; ``policy.registry`` lists them."""
