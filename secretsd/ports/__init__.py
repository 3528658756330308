"""What the product needs from outside, as protocols of a few methods each."""
