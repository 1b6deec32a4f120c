"""What the chapters' and pages' drawings share, and the build that calls them."""
