"""How the house is built."""
