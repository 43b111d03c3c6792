/* tests/unit/client/catalog.c */
#include "fixture.h"

static int collect(void *arg, const char *name)
{
    berth_buf_addf(arg, "%s ", name);
    return strcmp(name, "stop") == 0;
}

#define PAGE(link, names) "HTTP/1.1 200 OK\r\n" link "\r\n{\"repositories\":" names "}"
#define NEXT              "Link: </v2/_catalog?n=1&last=a>; rel=\"next\"\r\n"

static void test_client_catalog__comes_in_pages(void **state)
{
    (void)state;
    static const struct {
        const char *answers[4], *want, *begins;
        berth_list_options o;
        int code;
        bool more;
    } rows[] = {
        {{PAGE(NEXT, "[\"a\"]"), PAGE("", "[\"b/c\"]")},
         "a b/c ",
         "GET /v2/_catalog?n=1000 ",
         BERTH_LIST_OPTIONS_INIT,
         0,
         false},
        {{PAGE(NEXT, "[\"a\"]")},
         "a ",
         "GET /v2/_catalog?n=1&last=%26/x ",
         {sizeof(berth_list_options), 1, true, "&/x"},
         0,
         true},
        {{PAGE("", "null")}, "", "GET ", BERTH_LIST_OPTIONS_INIT, 0, false},
        {{PAGE("", "[\"../etc\"]")}, "", "GET ", BERTH_LIST_OPTIONS_INIT, BERTH_E_INVALID, false},
        {{PAGE("", "[\"stop\",\"b\"]")}, "stop ", "GET ", BERTH_LIST_OPTIONS_INIT, BERTH_E_CANCELLED, false},
        {{NOT_THERE}, "", "GET ", BERTH_LIST_OPTIONS_INIT, BERTH_E_NOT_FOUND, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(1000);
        berth_call *call = NULL;
        CHECK_ROW(i, berth_catalog(s.client, &rows[i].o, collect, &got, &call, &test_err) == rows[i].code);
        CHECK_STR_ROW(i, berth_buf_str(&got), str_from(rows[i].want));
        CHECK_ROW(i, !call || berth_call_has_more(call) == rows[i].more);
        berth_call_free(call);
        script_end(&s);
        CHECK_ROW(i, was(&s, 0, rows[i].begins, ""));
    }
}

static void test_client_catalog__has_a_scope_of_its_own(void **state)
{
    (void)state;
    static struct script s = {.answers = {UNAUTHORIZED BEARER "error=\"x\"\r\n\r\n",
                                          JSON(15) "{\"token\":\"abc\"}", JSON(19) "{\"repositories\":[]}"}};
    script_begin(&s, NULL);
    CHECK_OK(berth_catalog(s.client, NULL, NULL, NULL, NULL, &test_err));
    script_end(&s);
    CHECK(strstr(s.requests[1], "scope=registry:catalog:%2A"));
}

RUN_TESTS(TEST(test_client_catalog__comes_in_pages), TEST(test_client_catalog__has_a_scope_of_its_own))
