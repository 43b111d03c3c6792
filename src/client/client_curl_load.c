/* client/client_curl_load.c - libcurl is loaded when the first client is opened. With the twenty-five
 * libraries that it brings along, being linked to it made each start of the program 3 to 5 ms longer, and
 * `berth serve` has 10 ms to its first answer. */
#include "client/client_curl.h"

#include <pthread.h>

#include "util/fault.h"
#include "util/library.h"

struct curl_functions curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char why[256]; /* it could not be loaded; empty: it was */

static void load(void)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
    static const struct library_function functions[] = {
#define ADDRESS(prefix, name) {"curl_" #prefix "_" #name, &curl.prefix##_##name},
        CURL_FUNCTIONS(ADDRESS)
#undef ADDRESS
    };
    if (!library_load(names, functions, COUNT(functions), why, sizeof(why)))
        return;
    CURLcode rc = curl.global_init(CURL_GLOBAL_DEFAULT);
    if (rc != CURLE_OK)
        snprintf(why, sizeof(why), "%s", curl.easy_strerror(rc));
}

int curl_load(berth_error *err)
{
    pthread_once(&once, load);
    if (fault_hit() || why[0])
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "libcurl can't be used (%s): is it installed?",
                               why[0] ? why : "no memory");
    return BERTH_OK;
}
