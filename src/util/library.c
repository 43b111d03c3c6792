/* util/library.c - see library.h. */
#include "util/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static bool missing(const char *what, char *why, size_t size)
{
    const char *said = dlerror();
    snprintf(why, size, "%s: %s", what, said ? said : "not there");
    return false;
}

bool library_load(const char *const *names, const struct library_function *functions, size_t n, char *why,
                  size_t why_size)
{
    void *library = NULL;
    for (size_t i = 0; !library && names[i]; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return missing(names[0], why, why_size);
    for (size_t i = 0; i < n; i++) {
        void *p = dlsym(library, functions[i].name);
        if (!p)
            return missing(functions[i].name, why, why_size);
        memcpy(functions[i].at, &p, sizeof(p));
    }
    return true;
}
