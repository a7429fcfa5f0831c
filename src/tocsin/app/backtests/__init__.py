"""Rules over stored history: backtests, filled gaps, and the jobs that run them."""
