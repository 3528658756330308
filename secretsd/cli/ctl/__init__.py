"""The commands of secretsctl, a file for each noun; everything heavy is imported when a command needs it."""
