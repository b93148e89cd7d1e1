"""Files that wait for the work that reads them."""
