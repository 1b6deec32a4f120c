"""MkDocs hooks: what the site's build adds to a page."""
