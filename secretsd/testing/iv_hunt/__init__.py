"""The IV hunt: ends processes while everybody encrypts, and looks for an IV or a reserved count that is used twice."""
