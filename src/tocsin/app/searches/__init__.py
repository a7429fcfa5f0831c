"""What people search with: turns, jobs, exports, SQL in a process of its own, saved searches."""
