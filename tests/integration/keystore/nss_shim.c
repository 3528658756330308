/*
 * NSS softokn for whoever calls C_Initialize(NULL): it answers CKR_ARGUMENTS_BAD unless it is told where its files are.
 *
 * NSS_SHIM_MODULE names libsoftokn3.so, NSS_SHIM_PARAMETERS is what it wants to be told.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST *real, shim;

/* NSS's own form of CK_C_INITIALIZE_ARGS. */
struct arguments {
    void *create, *destroy, *lock, *unlock;
    CK_FLAGS flags;
    char *parameters;
    void *reserved;
};

static CK_RV initialize(void *unused)
{
    struct arguments arguments = {.flags = CKF_OS_LOCKING_OK, .parameters = getenv("NSS_SHIM_PARAMETERS")};
    (void)unused;
    return real->C_Initialize(&arguments);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    void *module = dlopen(getenv("NSS_SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
    CK_RV (*get)(CK_FUNCTION_LIST **) = module ? (CK_RV(*)(CK_FUNCTION_LIST **))dlsym(module, "C_GetFunctionList") : NULL;
    if (!get || get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    shim = *real;
    shim.C_Initialize = initialize;
    *list = &shim;
    return CKR_OK;
}
