"""A simulator of rotations: the real engine on real storage, with time, target and crashes that a case decides."""
