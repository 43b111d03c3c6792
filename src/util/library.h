/* util/library.h - a shared library that is loaded when it is wanted. A program that is linked to one maps
 * it, and all that it brings along, at each start: of the command that has no use for it too. */
#ifndef UTIL_LIBRARY_H
#define UTIL_LIBRARY_H

#include "util/base.h"

struct library_function {
    const char *name;
    void *at; /* of the pointer that is to hold it */
};

/* Loads the first of @names that is there, NULL being their end, for as long as the program runs. False: @why
 * says what is missing. */
bool library_load(const char *const *names, const struct library_function *functions, size_t n, char *why,
                  size_t why_size);

#endif
