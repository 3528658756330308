"""What the product knows: pure, synchronous, standard library only."""
