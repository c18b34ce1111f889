"""Whether figures are told truly, to whoever asks, and hold nobody's secrets."""
