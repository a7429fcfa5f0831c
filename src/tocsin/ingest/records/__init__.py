"""One record of each format into fields: what the columns must say, too."""
