"""One file a command. In: options. Out: text on stdout, logs on stderr."""
