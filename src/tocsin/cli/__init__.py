"""The door for terminals. In: words and files. Out: tables for people, JSON for programs, exit codes."""
