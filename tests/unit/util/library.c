/* tests/unit/util/library.c */
#include "test.h"

#include "util/library.h"

static void test_util_library__finds_functions_or_says_what_is_missing(void **state)
{
    (void)state;
    static const char *const there[] = {"libnowhere.so.1", "libc.so.6", NULL};
    static const char *const nowhere[] = {"libnowhere.so.1", "libnowhere.so.2", NULL};
    size_t (*length)(const char *) = NULL;
    void *nothing = NULL;
    const struct library_function known[] = {{"strlen", &length}};
    const struct library_function unknown[] = {{"strlen", &length}, {"no_such_function", &nothing}};
    char why[256] = "";
    CHECK(library_load(there, known, COUNT(known), why, sizeof(why)));
    CHECK(why[0] == '\0' && length("four") == 4);
    CHECK(!library_load(there, unknown, COUNT(unknown), why, sizeof(why)));
    CHECK(strstr(why, "no_such_function") && !nothing);
    CHECK(!library_load(nowhere, known, COUNT(known), why, sizeof(why)));
    CHECK(strstr(why, "libnowhere.so.1"));
}

RUN_TESTS(TEST(test_util_library__finds_functions_or_says_what_is_missing))
