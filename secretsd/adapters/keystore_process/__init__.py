"""The keystore process: the only one with the PKCS#11 module and the PIN; and the client that workers reach it by."""
