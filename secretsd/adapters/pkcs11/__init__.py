"""Keys in a PKCS#11 module: one thread, one login, key objects that live as long as their session."""
