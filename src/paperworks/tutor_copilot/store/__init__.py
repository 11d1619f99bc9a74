"""What is kept: people, classes, rooms, messages, help, and who did what. SQLite or PostgreSQL."""
