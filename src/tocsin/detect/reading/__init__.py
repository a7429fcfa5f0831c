"""Rule files into compiled rules, or the reasons why not, with file and line."""
