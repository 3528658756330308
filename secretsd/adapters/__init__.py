"""What fulfils the ports: one package for each outside part."""
