"""Charts as static SVG, drawn by pure functions of values; their colours are the page's, by class."""
