"""What makes the site: facts, drawings, chapters, pages and MkDocs hooks; in no wheel."""
