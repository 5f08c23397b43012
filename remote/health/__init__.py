"""Does it run? What is known of every component, and how it was learned."""
