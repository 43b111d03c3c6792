/* content/tar_library.c - libarchive is loaded when the first archive is read or written, and not at each
 * start of the program: it brings a dozen libraries along. See util/library.h. */
#include "content/tar_library.h"

#include <pthread.h>

#include "util/library.h"

struct archive_functions libarchive;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char why[256]; /* it could not be loaded; empty: it was */

static void load(void)
{
    static const char *const names[] = {"libarchive.so.13", NULL};
    static const struct library_function functions[] = {
#define ADDRESS(name) {#name, &libarchive.name},
        ARCHIVE_FUNCTIONS(ADDRESS)
#undef ADDRESS
    };
    library_load(names, functions, COUNT(functions), why, sizeof(why));
}

int tar_library_load(berth_error *err)
{
    pthread_once(&once, load);
    return why[0] ? berth_error_set(err, BERTH_E_UNSUPPORTED,
                                    "libarchive can't be used (%s): is it installed?", why)
                  : BERTH_OK;
}
