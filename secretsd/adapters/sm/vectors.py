"""Published answers: GB/T 32918.5-2017 (SM2), GB/T 32905-2016 (SM3), RFC 8998, appendix A.1 (SM4 in GCM)."""

from secretsd.adapters.sm import der

PRIVATE = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
PUBLIC = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
DIGEST = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
ANOTHER_DIGEST = bytes([*DIGEST[:-1], DIGEST[-1] ^ 1])
SIGNATURE = der.sequence(
    der.integer(0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3),
    der.integer(0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA),
)
TEXT = b"encryption standard"
CIPHERTEXT = der.sequence(
    der.integer(0x04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73),
    der.integer(0xE858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0),
    der.octets(bytes.fromhex("59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766")),
    der.octets(bytes.fromhex("21886ca989ca9c7d58087307ca93092d651efa")),
)
HASHED = b"abc"
HASH = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
GCM_IV = bytes.fromhex("00001234567800000000abcd")
GCM_BOUND = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
GCM_TEXT = b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("aabbccddeeffeeaa"))
GCM_ANSWER = bytes.fromhex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec"
)
