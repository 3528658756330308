/*
 * A PKCS#11 module that forwards to a real one and fails as it is told.
 *
 * FAULT_SHIM_MODULE names the real module, FAULT_SHIM_CONTROL the file with the faults, FAULT_SHIM_TRACE a file that
 * gets the name of every C_Login, one a line. The control file is read again when it was replaced; each line is
 *     FUNCTION ACTION VALUE COUNT        e.g. "C_Encrypt return 0x30 1"; FUNCTION "*" is any of those below,
 *                                        COUNT how often, -1 for ever.
 * return VALUE     do nothing, return VALUE
 * after VALUE      do the work, then return VALUE
 * delay VALUE      wait so many milliseconds, then do the work
 * close-all, logout, finalize   do that first, then the work
 * garble           do the work, change one bit of what comes out (C_Encrypt, C_Sign, C_WrapKey)
 * flip VALUE       turn over the boolean attribute VALUE in what C_GetAttributeValue answers
 * hide VALUE       leave the mechanism VALUE out of C_GetMechanismList
 * permit           say that 40 bytes were wrapped where C_WrapKey was refused
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <p11-kit/pkcs11.h>

enum { MOST_FAULTS = 16 };

struct fault {
    char function[40], action[16];
    unsigned long value;
    long count;
};

static CK_FUNCTION_LIST *real, shim;
static struct fault faults[MOST_FAULTS];
static int fault_count;
static struct timespec read_at;
static ino_t read_inode;
static CK_SLOT_ID last_slot;
static CK_SESSION_HANDLE last_session;

static void read_control(void)
{
    const char *path = getenv("FAULT_SHIM_CONTROL");
    struct stat now;
    if (!path || stat(path, &now) != 0)
        return;
    if (now.st_ino == read_inode && now.st_mtim.tv_sec == read_at.tv_sec && now.st_mtim.tv_nsec == read_at.tv_nsec)
        return;
    read_inode = now.st_ino;
    read_at = now.st_mtim;
    fault_count = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    struct fault *next = faults;
    while (fault_count < MOST_FAULTS &&
           fscanf(file, "%39s %15s %lx %ld", next->function, next->action, &next->value, &next->count) == 4) {
        next++;
        fault_count++;
    }
    fclose(file);
}

/* The fault that is due for this function, counted down; only those of `action` when it is given. */
static struct fault *due(const char *function, const char *action)
{
    read_control();
    for (struct fault *fault = faults; fault < faults + fault_count; fault++) {
        if (strcmp(fault->function, "*") != 0 && strcmp(fault->function, function) != 0)
            continue;
        if (fault->count == 0 || (action && strcmp(fault->action, action) != 0))
            continue;
        if (fault->count > 0)
            fault->count--;
        return fault;
    }
    return NULL;
}

static int is(struct fault *fault, const char *action)
{
    return fault && strcmp(fault->action, action) == 0;
}

static void before(struct fault *fault)
{
    if (is(fault, "delay")) {
        struct timespec wait = {fault->value / 1000, (fault->value % 1000) * 1000000L};
        nanosleep(&wait, NULL);
    } else if (is(fault, "close-all")) {
        real->C_CloseAllSessions(last_slot);
    } else if (is(fault, "logout")) {
        real->C_Logout(last_session);
    } else if (is(fault, "finalize")) {
        real->C_Finalize(NULL);
    }
}

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
        if (is(fault, "permit") && answer != CKR_OK) {  \
            *(size) = 40;                               \
            return CKR_OK;                              \
        }                                               \
        return is(fault, "after") ? fault->value : answer; \
    }

typedef CK_SESSION_HANDLE S;
typedef CK_OBJECT_HANDLE O;

FORWARD(C_Initialize, (void *a), (a))
FORWARD(C_GetSlotList, (CK_BBOOL a, CK_SLOT_ID *b, CK_ULONG *c), (a, b, c))
FORWARD(C_GetTokenInfo, (CK_SLOT_ID a, CK_TOKEN_INFO *b), (a, b))
FORWARD(C_CreateObject, (S s, CK_ATTRIBUTE *a, CK_ULONG b, O *c), (s, a, b, c))
FORWARD(C_DestroyObject, (S s, O a), (s, a))
FORWARD(C_FindObjectsInit, (S s, CK_ATTRIBUTE *a, CK_ULONG b), (s, a, b))
FORWARD(C_FindObjects, (S s, O *a, CK_ULONG b, CK_ULONG *c), (s, a, b, c))
FORWARD(C_EncryptInit, (S s, CK_MECHANISM *a, O b), (s, a, b))
FORWARD(C_DecryptInit, (S s, CK_MECHANISM *a, O b), (s, a, b))
FORWARD(C_SignInit, (S s, CK_MECHANISM *a, O b), (s, a, b))
FORWARD(C_GenerateKey, (S s, CK_MECHANISM *a, CK_ATTRIBUTE *b, CK_ULONG c, O *d), (s, a, b, c, d))
FORWARD(C_GenerateRandom, (S s, CK_BYTE *a, CK_ULONG b), (s, a, b))
FORWARD(C_UnwrapKey, (S s, CK_MECHANISM *a, O b, CK_BYTE *c, CK_ULONG d, CK_ATTRIBUTE *e, CK_ULONG f, O *g),
        (s, a, b, c, d, e, f, g))
FORWARD_OUTPUT(C_Encrypt, (S s, CK_BYTE *a, CK_ULONG b, CK_BYTE *c, CK_ULONG *d), (s, a, b, c, d), c, d)
FORWARD_OUTPUT(C_Decrypt, (S s, CK_BYTE *a, CK_ULONG b, CK_BYTE *c, CK_ULONG *d), (s, a, b, c, d), c, d)
FORWARD_OUTPUT(C_Sign, (S s, CK_BYTE *a, CK_ULONG b, CK_BYTE *c, CK_ULONG *d), (s, a, b, c, d), c, d)
FORWARD_OUTPUT(C_WrapKey, (S s, CK_MECHANISM *a, O b, O c, CK_BYTE *d, CK_ULONG *e), (s, a, b, c, d, e), d, e)

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
    const char *path = getenv("FAULT_SHIM_TRACE");
    FILE *trace = path ? fopen(path, "a") : NULL;
    if (trace) {
        fputs("C_Login\n", trace);
        fclose(trace);
    }
    struct fault *fault = due("C_Login", NULL);
    return is(fault, "return") ? fault->value : real->C_Login(session, user, pin, size);
}

static CK_RV shim_C_GetAttributeValue(S session, O object, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    struct fault *fault = due("C_GetAttributeValue", "return");
    if (fault)
        return fault->value;
    CK_RV answer = real->C_GetAttributeValue(session, object, attributes, count);
    if ((fault = due("C_GetAttributeValue", "flip")))
        for (CK_ULONG place = 0; place < count; place++)
            if (attributes[place].type == fault->value && attributes[place].pValue && attributes[place].ulValueLen == 1)
                *(CK_BBOOL *)attributes[place].pValue ^= 1;
    return answer;
}

static CK_RV shim_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    CK_RV answer = real->C_GetMechanismList(slot, list, count);
    struct fault *fault = due("C_GetMechanismList", "hide");
    if (fault && list && answer == CKR_OK)
        for (CK_ULONG place = 0; place < *count; place++)
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
    *list = &shim;
    return CKR_OK;
}
