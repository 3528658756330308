/*
 * A PKCS#11 module that forwards to a real one and fails as it is told.
 *
 * FAULT_SHIM_MODULE names the real module, FAULT_SHIM_CONTROL the file with the faults, FAULT_SHIM_TRACE a file that
 * gets the name of every C_Login, and of each function that begins to wait, one a line. The control file is read again
 * when it was replaced; each line is
 *     FUNCTION ACTION VALUE COUNT        e.g. "C_Encrypt return 0x30 1"; FUNCTION "*" is any of those below,
 *                                        COUNT how often, -1 for ever.
 * return VALUE     do nothing, return VALUE
 * after VALUE      do the work, then return VALUE
 * delay VALUE      wait so many milliseconds, then do the work
 * close-all, logout, finalize   do that first, then the work
 * garble           do the work, change one bit of what comes out (C_Encrypt, C_Sign, C_WrapKey)
 * What a module is, rather than what happens to it once; other faults of the same function go on beside it:
 * hide VALUE       leave the mechanism VALUE out of C_GetMechanismList
 * refuse VALUE     CKR_MECHANISM_INVALID to whoever begins something by the mechanism VALUE
 * unknown VALUE    CKR_ATTRIBUTE_TYPE_INVALID to whoever names the attribute VALUE, in whatever function
 * untrust          say that 40 bytes were wrapped where C_WrapKey was refused because the wrapping key is not trusted
 * flip VALUE       turn over the boolean attribute VALUE in what C_GetAttributeValue answers
 * show VALUE       tell some bytes where C_GetAttributeValue was asked for the attribute VALUE and must not tell it
 * permit           say that 40 bytes were wrapped where C_WrapKey was refused
 * copy             say that C_CopyObject made a copy where it was refused
 * set              say that C_SetAttributeValue changed what it was refused to change
 * obey             C_UnwrapKey forgets the unwrapping key's template, so that objects are as weak as was asked for
 * Of the last six VALUE may say of which objects: 1 << 32 secret keys of the session, 2 << 32 private keys.
 */
#include "fault_shim.h"

#define FORWARD(name, parameters, arguments)            \
    static CK_RV shim_##name parameters                 \
    {                                                   \
        struct fault *fault = due(#name, NULL);         \
        if (is(fault, "return"))                        \
            return fault->value;                        \
        before(fault);                                  \
        CK_RV answer = real->name arguments;            \
        return is(fault, "after") ? fault->value : answer; \
    }

/* Functions that begin something by a mechanism, `a`. */
#define FORWARD_MECHANISM(name, parameters, arguments)  \
    static CK_RV shim_##name parameters                 \
    {                                                   \
        struct fault *fault = due(#name, NULL);         \
        if (is(fault, "return"))                        \
            return fault->value;                        \
        if (refused(#name, a))                          \
            return CKR_MECHANISM_INVALID;               \
        before(fault);                                  \
        CK_RV answer = real->name arguments;            \
        return is(fault, "after") ? fault->value : answer; \
    }

/* Functions with bytes that come out in `out`, `size` of them. */
#define FORWARD_OUTPUT(name, parameters, arguments, out, size) \
    static CK_RV shim_##name parameters                 \
    {                                                   \
        struct fault *fault = due(#name, NULL);         \
        if (is(fault, "return"))                        \
            return fault->value;                        \
        before(fault);                                  \
        CK_RV answer = real->name arguments;            \
        if (is(fault, "garble") && answer == CKR_OK && (out) && *(size)) \
            (out)[0] ^= 1;                              \
        return is(fault, "after") ? fault->value : answer; \
    }

/* Whatever comes with a template may name an attribute that the module does not know. */
#define FORWARD_TEMPLATE(name, parameters, arguments, known, mechanism) \
    static CK_RV shim_##name parameters                 \
    {                                                   \
        struct fault *fault = due(#name, NULL);         \
        if (is(fault, "return"))                        \
            return fault->value;                        \
        if ((mechanism) && refused(#name, mechanism))   \
            return CKR_MECHANISM_INVALID;               \
        if (!(known))                                   \
            return CKR_ATTRIBUTE_TYPE_INVALID;          \
        before(fault);                                  \
        CK_RV answer = real->name arguments;            \
        return is(fault, "after") ? fault->value : answer; \
    }

typedef CK_SESSION_HANDLE S;
typedef CK_OBJECT_HANDLE O;
static CK_MECHANISM *const none = NULL;

FORWARD(C_Initialize, (void *a), (a))
FORWARD(C_GetSlotList, (CK_BBOOL a, CK_SLOT_ID *b, CK_ULONG *c), (a, b, c))
FORWARD(C_GetTokenInfo, (CK_SLOT_ID a, CK_TOKEN_INFO *b), (a, b))
FORWARD_TEMPLATE(C_CreateObject, (S s, CK_ATTRIBUTE *a, CK_ULONG b, O *c), (s, a, b, c), knows(a, b), none)
FORWARD(C_DestroyObject, (S s, O a), (s, a))
FORWARD(C_FindObjectsInit, (S s, CK_ATTRIBUTE *a, CK_ULONG b), (s, a, b))
FORWARD(C_FindObjects, (S s, O *a, CK_ULONG b, CK_ULONG *c), (s, a, b, c))
FORWARD_MECHANISM(C_EncryptInit, (S s, CK_MECHANISM *a, O b), (s, a, b))
FORWARD_MECHANISM(C_DecryptInit, (S s, CK_MECHANISM *a, O b), (s, a, b))
FORWARD_MECHANISM(C_SignInit, (S s, CK_MECHANISM *a, O b), (s, a, b))
FORWARD_TEMPLATE(C_GenerateKey, (S s, CK_MECHANISM *a, CK_ATTRIBUTE *b, CK_ULONG c, O *d), (s, a, b, c, d),
                 knows(b, c), a)
FORWARD(C_GenerateRandom, (S s, CK_BYTE *a, CK_ULONG b), (s, a, b))
FORWARD_TEMPLATE(C_GenerateKeyPair,
                 (S s, CK_MECHANISM *a, CK_ATTRIBUTE *b, CK_ULONG c, CK_ATTRIBUTE *d, CK_ULONG e, O *f, O *g),
                 (s, a, b, c, d, e, f, g), knows(b, c) && knows(d, e), a)
FORWARD_OUTPUT(C_Encrypt, (S s, CK_BYTE *a, CK_ULONG b, CK_BYTE *c, CK_ULONG *d), (s, a, b, c, d), c, d)
FORWARD_OUTPUT(C_Decrypt, (S s, CK_BYTE *a, CK_ULONG b, CK_BYTE *c, CK_ULONG *d), (s, a, b, c, d), c, d)
FORWARD_OUTPUT(C_Sign, (S s, CK_BYTE *a, CK_ULONG b, CK_BYTE *c, CK_ULONG *d), (s, a, b, c, d), c, d)

static CK_RV shim_C_WrapKey(S s, CK_MECHANISM *a, O by, O key, CK_BYTE *out, CK_ULONG *size)
{
    struct fault *fault = due("C_WrapKey", NULL);
    if (is(fault, "return"))
        return fault->value;
    if (refused("C_WrapKey", a))
        return CKR_MECHANISM_INVALID;
    before(fault);
    CK_RV answer = real->C_WrapKey(s, a, by, key, out, size);
    if (is(fault, "garble") && answer == CKR_OK && out && *size)
        out[0] ^= 1;
    if ((answer != CKR_OK && concerns(due("C_WrapKey", "permit"), s, key)) ||
        (answer == CKR_KEY_NOT_WRAPPABLE && due("C_WrapKey", "untrust"))) {
        *size = 40;
        return CKR_OK;
    }
    return is(fault, "after") ? fault->value : answer;
}

static CK_RV shim_C_UnwrapKey(S s, CK_MECHANISM *a, O by, CK_BYTE *blob, CK_ULONG size, CK_ATTRIBUTE *asked,
                              CK_ULONG count, O *key)
{
    struct fault *fault = due("C_UnwrapKey", NULL), *obeys = due("C_UnwrapKey", "obey");
    if (is(fault, "return"))
        return fault->value;
    if (refused("C_UnwrapKey", a))
        return CKR_MECHANISM_INVALID;
    if (!knows(asked, count))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    before(fault);
    static CK_BBOOL true_ = CK_TRUE;
    struct weak wanted = {0, CK_TRUE, CK_TRUE};
    CK_ATTRIBUTE changed[64];
    for (CK_ULONG place = 0; obeys && place < count && place < 64; place++) {
        changed[place] = asked[place];
        CK_BBOOL *kept = asked[place].type == CKA_SENSITIVE           ? &wanted.sensitive
                         : asked[place].type == CKA_WRAP_WITH_TRUSTED ? &wanted.trusted
                                                                      : NULL;
        if (kept) {
            *kept = *(CK_BBOOL *)asked[place].pValue;
            changed[place].pValue = &true_;
        }
    }
    CK_RV answer = real->C_UnwrapKey(s, a, by, blob, size, obeys ? changed : asked, count, key);
    if (obeys && answer == CKR_OK && !(wanted.sensitive && wanted.trusted) && concerns(obeys, s, *key)) {
        wanted.object = *key;
        weak[weak_count++ % MOST_WEAK] = wanted;
    } else if (obeys && answer == CKR_OK && !(wanted.sensitive && wanted.trusted)) {
        real->C_DestroyObject(s, *key);
        return CKR_TEMPLATE_INCONSISTENT; /* towards other objects it is an honest module */
    }
    return is(fault, "after") ? fault->value : answer;
}

static CK_RV shim_C_CopyObject(S s, O object, CK_ATTRIBUTE *a, CK_ULONG count, O *copy)
{
    struct fault *fault = due("C_CopyObject", NULL);
    if (is(fault, "return"))
        return fault->value;
    if (!knows(a, count))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    CK_RV answer = real->C_CopyObject(s, object, a, count, copy);
    if (answer != CKR_OK && concerns(due("C_CopyObject", "copy"), s, object)) {
        CK_OBJECT_CLASS class = CKO_DATA;
        CK_BBOOL no = CK_FALSE;
        CK_ATTRIBUTE data[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &no, sizeof no}};
        return real->C_CreateObject(s, data, 2, copy);
    }
    return is(fault, "after") ? fault->value : answer;
}

static CK_RV shim_C_SetAttributeValue(S s, O object, CK_ATTRIBUTE *a, CK_ULONG count)
{
    struct fault *fault = due("C_SetAttributeValue", NULL);
    if (is(fault, "return"))
        return fault->value;
    if (!knows(a, count))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    CK_RV answer = real->C_SetAttributeValue(s, object, a, count);
    return answer != CKR_OK && concerns(due("C_SetAttributeValue", "set"), s, object) ? CKR_OK : answer;
}

static CK_RV shim_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *user, CK_NOTIFY notify, S *session)
{
    struct fault *fault = due("C_OpenSession", NULL);
    if (is(fault, "return"))
        return fault->value;
    before(fault);
    CK_RV answer = real->C_OpenSession(slot, flags, user, notify, session);
    if (answer == CKR_OK) {
        last_slot = slot;
        last_session = *session;
    }
    return answer;
}

static CK_RV shim_C_Login(S session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size)
{
    trace("C_Login");
    struct fault *fault = due("C_Login", NULL);
    return is(fault, "return") ? fault->value : real->C_Login(session, user, pin, size);
}

static CK_RV shim_C_GetAttributeValue(S session, O object, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    struct fault *fault = due("C_GetAttributeValue", "return");
    if (fault)
        return fault->value;
    CK_RV answer = real->C_GetAttributeValue(session, object, attributes, count);
    for (CK_ULONG place = 0; place < count; place++)
        if (unknown(attributes[place].type)) {
            attributes[place].ulValueLen = CK_UNAVAILABLE_INFORMATION;
            answer = CKR_ATTRIBUTE_TYPE_INVALID;
        }
    if ((fault = due("C_GetAttributeValue", "show")) && concerns(fault, session, object))
        for (CK_ULONG place = 0; place < count; place++)
            if (attributes[place].type == (CK_ATTRIBUTE_TYPE)(fault->value & 0xffffffff)) {
                if (attributes[place].pValue)
                    memset(attributes[place].pValue, 0x5a, 32);
                attributes[place].ulValueLen = 32;
                answer = CKR_OK;
            }
    fault = due("C_GetAttributeValue", "flip");
    for (CK_ULONG place = 0; place < count; place++) {
        CK_BBOOL *told = attributes[place].ulValueLen == 1 ? attributes[place].pValue : NULL;
        if (told && concerns(fault, session, object) &&
            attributes[place].type == (CK_ATTRIBUTE_TYPE)(fault->value & 0xffffffff))
            *told ^= 1;
        for (struct weak *one = weak; told && one < weak + MOST_WEAK && one < weak + weak_count; one++)
            if (one->object == object && attributes[place].type == CKA_SENSITIVE)
                *told = one->sensitive;
            else if (one->object == object && attributes[place].type == CKA_WRAP_WITH_TRUSTED)
                *told = one->trusted;
    }
    return answer;
}

static CK_RV shim_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    CK_RV answer = real->C_GetMechanismList(slot, list, count);
    read_control();
    for (struct fault *fault = faults; fault < faults + fault_count; fault++)
        for (CK_ULONG place = 0; is(fault, "hide") && list && answer == CKR_OK && place < *count; place++)
            if (list[place] == fault->value) {
                memmove(list + place, list + place + 1, (--*count - place) * sizeof *list);
                break;
            }
    return answer;
}

#define USE(name) shim.name = shim_##name

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    void *module = dlopen(getenv("FAULT_SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
    CK_RV (*get)(CK_FUNCTION_LIST **) = module ? (CK_RV(*)(CK_FUNCTION_LIST **))dlsym(module, "C_GetFunctionList") : NULL;
    if (!get || get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    shim = *real;
    USE(C_Initialize), USE(C_GetSlotList), USE(C_GetTokenInfo), USE(C_GetMechanismList), USE(C_OpenSession);
    USE(C_Login), USE(C_CreateObject), USE(C_DestroyObject), USE(C_GetAttributeValue), USE(C_FindObjectsInit);
    USE(C_FindObjects), USE(C_EncryptInit), USE(C_Encrypt), USE(C_DecryptInit), USE(C_Decrypt), USE(C_SignInit);
    USE(C_Sign), USE(C_GenerateKey), USE(C_WrapKey), USE(C_UnwrapKey), USE(C_GenerateRandom);
    USE(C_GenerateKeyPair), USE(C_CopyObject), USE(C_SetAttributeValue);
    *list = &shim;
    return CKR_OK;
}
