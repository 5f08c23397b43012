"""The container side: submits updates on behalf of people, and shows them how they end."""
