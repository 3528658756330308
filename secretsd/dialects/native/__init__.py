"""The native dialect: routes after resource names, JSON, problem+json, OpenAPI 3.1."""
