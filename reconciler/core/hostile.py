"""How is text that others wrote made harmless to look at?

Names, reasons and metadata come from Stripe, and so from whoever pays. A control character steers a terminal, and a mark that
reorders text makes a number look like another one.
"""

# French groups digits with spaces at which no line is broken; they steer nothing.
_SPACES = "\u00a0\u202f"


def visible(text: str) -> str:
    """Text without control characters or marks that reorder what is shown; they stand there as their code."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in _SPACES else f"\\x{ord(each):02x}" for each in text
    )
