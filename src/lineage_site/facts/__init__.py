"""Each number that a paper prints, each work cited and each fault: once, with its source."""
