/* What the control file of fault_shim.c says, and whom it concerns. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <p11-kit/pkcs11.h>

enum { MOST_FAULTS = 16, MOST_WEAK = 64, SECRET_OF_SESSION = 1, PRIVATE = 2 };

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

/* Objects that were unwrapped by a module that "obeys", and the booleans that were asked for. */
struct weak {
    CK_OBJECT_HANDLE object;
    CK_BBOOL sensitive, trusted;
};
static struct weak weak[MOST_WEAK];
static int weak_count;
static const char *const standing[] = {"hide", "refuse", "flip", "show", "permit", "copy", "set", "obey",
                                       "unknown", "untrust"};

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

static int stands(const char *action)
{
    for (size_t place = 0; place < sizeof standing / sizeof *standing; place++)
        if (strcmp(standing[place], action) == 0)
            return 1;
    return 0;
}

/* The fault that is due for this function, counted down; that of `action` when it is given, else one that passes. */
static struct fault *due(const char *function, const char *action)
{
    read_control();
    for (struct fault *fault = faults; fault < faults + fault_count; fault++) {
        if (strcmp(fault->function, "*") != 0 && strcmp(fault->function, function) != 0)
            continue;
        if (fault->count == 0 || (action ? strcmp(fault->action, action) != 0 : stands(fault->action)))
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

/* Whether what the module is concerns this object. */
static int concerns(struct fault *fault, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL token = CK_TRUE;
    CK_ATTRIBUTE asked[] = {{CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &token, sizeof token}};
    unsigned long which = fault ? fault->value >> 32 : 0;
    if (!fault || !which)
        return fault != NULL;
    if (real->C_GetAttributeValue(session, object, asked, 2) != CKR_OK)
        return 0;
    return which == PRIVATE ? class == CKO_PRIVATE_KEY : class == CKO_SECRET_KEY && !token;
}

static int refused(const char *function, CK_MECHANISM *mechanism)
{
    for (struct fault *fault = faults; fault < faults + fault_count; fault++)
        if (is(fault, "refuse") && fault->value == mechanism->mechanism &&
            (strcmp(fault->function, "*") == 0 || strcmp(fault->function, function) == 0))
            return 1;
    return 0;
}

/* Whether the module has never heard of an attribute; templates may stand inside templates. */
static int unknown(CK_ATTRIBUTE_TYPE type)
{
    read_control();
    for (struct fault *fault = faults; fault < faults + fault_count; fault++)
        if (is(fault, "unknown") && fault->value == type)
            return 1;
    return 0;
}

static int knows(CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    for (CK_ATTRIBUTE *one = attributes; one < attributes + count; one++) {
        int nested = one->type == CKA_WRAP_TEMPLATE || one->type == CKA_UNWRAP_TEMPLATE;
        if (unknown(one->type) || (nested && !knows(one->pValue, one->ulValueLen / sizeof *one)))
            return 0;
    }
    return 1;
}

static void trace(const char *function)
{
    const char *path = getenv("FAULT_SHIM_TRACE");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", function);
        fclose(file);
    }
}

static void before(struct fault *fault)
{
    if (is(fault, "delay")) {
        trace(fault->function);
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
