"""What begins something new: a project of one's own."""
