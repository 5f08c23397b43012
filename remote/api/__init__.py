"""WHO may request what, and who gets the answer? The WebSocket interface and the page."""
