"""People together with what they write."""
