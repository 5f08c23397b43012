"""WHO may ask what, and who hears it? The WebSocket interface and the page."""
