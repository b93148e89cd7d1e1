"""What begins something new: a project of one's own, rooms like those written by hand."""
