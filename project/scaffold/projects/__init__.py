"""A project of one's own: a copy of this one, under another title, without some of its rooms."""
