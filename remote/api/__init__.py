"""WHO may ask what, and who gets the answer? The WebSocket interface and the page."""
