"""GoogLeNet, the chapter."""
