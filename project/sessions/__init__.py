"""Who is signed in where."""
