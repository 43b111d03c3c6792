/* tests/unit/auth/scope.c */
#include "test.h"

#include "auth/scope.h"

static void test_auth_scope__covers_what_it_names_and_no_more(void **state)
{
    (void)state;
    static const struct {
        const char *have, *want;
        bool covers;
    } rows[] = {
        {"", "", true},
        {"repository:a:pull", "", true},
        {"", "repository:a:pull", false},
        {"repository:a:pull", "repository:a:pull", true},
        {"repository:a:pull,push", "repository:a:pull", true},
        {"repository:a:pull", "repository:a:pull,push", false},
        {"repository:a:pull repository:a:push", "repository:a:push,pull", true},
        {"repository:a:pull", "repository:ab:pull", false},
        {"repository:a:pull", "repository:a/b:pull", false},
        {"  repository:a:pull  registry:catalog:* ", "registry:catalog:*", true},
        {"repository:host:5000/a:pull", "repository:host:5000/a:pull", true},
        {"repository(plugin):a:pull", "repository:a:pull", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, auth_scope_covers(str_from(rows[i].have), str_from(rows[i].want)) == rows[i].covers);
}

static void test_auth_scope__merges_by_resource(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"", "", ""},
        {"repository:a:pull", "", "repository:a:pull"},
        {"", "repository:a:pull", "repository:a:pull"},
        {"repository:a:pull", "repository:a:pull", "repository:a:pull"},
        {"repository:a:pull", "repository:a:push,pull", "repository:a:pull,push"},
        {"repository:b:pull repository:a:push", "repository:a:pull registry:catalog:*",
         "repository:b:pull repository:a:push,pull registry:catalog:*"},
        {"repository:a:pull repository:a:push", "", "repository:a:pull,push"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(1000);
        auth_scope_merge(&out, str_from(rows[i][0]), str_from(rows[i][1]));
        CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i][2]));
        CHECK_ROW(i, auth_scope_covers(berth_buf_str(&out), str_from(rows[i][0])));
        CHECK_ROW(i, auth_scope_covers(berth_buf_str(&out), str_from(rows[i][1])));
    }
}

RUN_TESTS(TEST(test_auth_scope__covers_what_it_names_and_no_more), TEST(test_auth_scope__merges_by_resource))
