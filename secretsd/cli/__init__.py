"""The commands: secretsd for the daemon, secretsctl for people and scripts."""
