"""A folder a page that is no chapter: its facts and its drawings."""
