"""A folder a chapter: its facts, quiz, drawings and charts, and its long runs."""
