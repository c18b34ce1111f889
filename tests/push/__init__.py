"""Messages to browsers: where they may go, and what becomes of them."""
