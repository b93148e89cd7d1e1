"""What has happened, for programs that follow along."""
