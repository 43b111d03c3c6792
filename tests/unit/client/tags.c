/* tests/unit/client/tags.c */
#include "fixture.h"

static int collect(void *arg, const char *tag)
{
    berth_buf *out = arg;
    berth_buf_addf(out, "%s ", tag);
    return strcmp(tag, "stop") == 0;
}

#define PAGE(link, tags)                                                                                     \
    "HTTP/1.1 200 OK\r\n" link "Content-Type: application/json\r\n\r\n{\"name\":\"a\",\"tags\":" tags "}"

static void test_client_tags__follow_the_pages(void **state)
{
    (void)state;
    static const struct {
        const char *answers[4], *want;
        int code;
    } rows[] = {
        {{PAGE("", "[\"1\",\"2\"]")}, "1 2 ", 0},
        {{PAGE("", "null")}, "", 0},
        {{PAGE("Link: </v2/a/tags/list?n=1&last=1>; rel=\"next\"\r\n", "[\"1\"]"),
          PAGE("Link: <?n=1&last=2>; rel=next\r\n", "[\"2\"]"), PAGE("", "[\"3\"]")},
         "1 2 3 ",
         0},
        {{PAGE("Link: <http://127.0.0.1:%p/v2/a/tags/list?n=1&last=1>; rel=\"next\"\r\n", "[\"1\"]"),
          PAGE("", "[\"2\"]")},
         "1 2 ",
         0},
        {{PAGE("Link: <http://127.0.0.2:%p/v2/a/tags/list?last=1>; rel=\"next\"\r\n", "[\"1\"]")},
         "1 ",
         BERTH_E_DENIED},
        {{PAGE("Link: <>; rel=\"next\"\r\n", "[\"1\"]")}, "1 ", BERTH_E_INVALID}, /* the same page again */
        {{PAGE("", "[\"1\",\"\\u001b\"]")}, "", BERTH_E_INVALID},
        {{PAGE("", "[\"1\",\"stop\",\"2\"]")}, "1 stop ", BERTH_E_CANCELLED},
        {{"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"}, "", BERTH_E_INVALID},
        {{"HTTP/1.1 404 Not Found\r\nContent-Length: "
          "47\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"\"}]}"},
         "",
         BERTH_E_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CLEANUP(berth_buf_done) berth_buf got = BERTH_BUF_INIT(1000);
        CHECK_ROW(i, berth_tag_list(s.client, "a", collect, &got, &test_err) == rows[i].code);
        CHECK_STR_ROW(i, berth_buf_str(&got), str_from(rows[i].want));
        script_end(&s);
        CHECK_ROW(i, strncmp(s.requests[0], "GET /v2/a/tags/list?n=1000 ", 27) == 0);
    }
}

RUN_TESTS(TEST(test_client_tags__follow_the_pages))
