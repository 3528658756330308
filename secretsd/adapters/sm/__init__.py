"""The SM algorithms in software: SM2 by GmSSL, SM3 and SM4 by OpenSSL; loaded only when a key of theirs is used."""
