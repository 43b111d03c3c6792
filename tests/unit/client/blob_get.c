/* tests/unit/client/blob_get.c */
#include "fixture.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "berth/download.h"
#include "util/io.h"

/* sha256 of "abcdef" */
#define DIGEST "sha256:bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: "
#define PART   "HTTP/1.1 206 Partial\r\nContent-Range: bytes "

struct row {
    const char *answers[5];
    const char *asked[5]; /* a line of the request that goes with it; "-": no Range */
    uint64_t offset, length;
    const char *got;
    int code;
};

static void run(const struct row *row, size_t i)
{
    struct script s = {.retries = true};
    struct sink sink = {.got = BERTH_BUF_INIT(100)};
    memcpy(s.answers, row->answers, sizeof(row->answers));
    script_begin(&s, NULL);
    berth_call *call = NULL;
    int code = berth_blob_get_range(s.client, "a", DIGEST, row->offset, row->length, sink_take, &sink, &call,
                                    &test_err);
    if (code != row->code)
        fail_msg("row %zu: %d, not %d: %s", i, code, row->code, test_err.message);
    if (code == BERTH_OK)
        CHECK_ROW(i, berth_call_content(call)->size == sink.got.n);
    if (row->got)
        CHECK_STR_ROW(i, berth_buf_str(&sink.got), str_from(row->got));
    berth_call_free(call);
    script_end(&s);
    for (int k = 0; k < 5 && row->asked[k]; k++)
        CHECK_ROW(i, row->asked[k][0] == '-' ? !asked(&s, k, "\r\nRange:")
                                             : asked(&s, k, row->asked[k]) != NULL);
    berth_buf_done(&sink.got);
}

/* C064, C065 */
static void test_client_blob_get__goes_on_behind_a_body_that_broke(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.answers = {OK "6\r\n\r\nabc", PART "3-5/6\r\nContent-Length: 3\r\n\r\ndef"},
         .asked = {"-", "\r\nRange: bytes=3-\r\n"},
         .got = "abcdef"},
        {.answers = {OK "6\r\n\r\na", PART "1-5/6\r\nContent-Length: 5\r\n\r\nbc",
                     PART "3-5/6\r\nContent-Length: 3\r\n\r\ndef"},
         .asked = {"-", "\r\nRange: bytes=1-\r\n", "\r\nRange: bytes=3-\r\n"},
         .got = "abcdef"},
        /* No ranges there: what has come is passed over. */
        {.answers = {OK "6\r\n\r\nabc", OK "6\r\n\r\nabcdef"}, .got = "abcdef"},
        {.answers = {OK "6\r\n\r\nabcd", OK "6\r\n\r\nab", OK "6\r\n\r\nabcdef"}, .got = "abcdef"},
        {.answers = {OK "6\r\n\r\nabc", "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
                     PART "3-5/6\r\nContent-Length: 3\r\n\r\ndef"},
         .asked = {"-", NULL},
         .got = "abcdef"},
        /* All was there, and only its end was lost. */
        {.answers = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n",
                     "HTTP/1.1 416 X\r\nContent-Range: bytes */6\r\nContent-Length: 0\r\n\r\n"},
         .got = "abcdef"},
        {.answers = {OK "6\r\n\r\nabc", PART "2-5/6\r\nContent-Length: 4\r\n\r\ncdef"},
         .code = BERTH_E_INVALID},
        {.answers = {OK "6\r\n\r\nabc", PART "4-5/6\r\nContent-Length: 2\r\n\r\nef"},
         .code = BERTH_E_INVALID},
        {.answers = {OK "6\r\n\r\nabc", PART "3-5/9\r\nContent-Length: 3\r\n\r\ndef"},
         .code = BERTH_E_INVALID},
        {.answers = {OK "6\r\n\r\nabc", PART "3-5/6\r\nContent-Length: 9\r\n\r\ndef"},
         .code = BERTH_E_INVALID},
        {.answers = {OK "6\r\n\r\nabc", "HTTP/1.1 206 X\r\nContent-Length: 3\r\n\r\ndef"},
         .code = BERTH_E_INVALID},
        {.answers = {PART "0-5/6\r\nContent-Length: 6\r\n\r\nabcdef"}, .code = BERTH_E_INVALID},
        {.answers = {OK "6\r\n\r\nabc", OK "7\r\n\r\nabcdefg"}, .code = BERTH_E_INVALID},
        {.answers = {OK "6\r\n\r\nabX", PART "3-5/6\r\nContent-Length: 3\r\n\r\ndef"},
         .code = BERTH_E_DIGEST},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        run(&rows[i], i);
}

static void test_client_blob_get__gives_up_when_it_gets_no_further(void **state)
{
    (void)state;
    struct script s = {.retries = true};
    struct sink sink = {.got = BERTH_BUF_INIT(100)};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.first_wait_ms = 1;
    o.retries = 2;
    for (int i = 0; i < 3; i++)
        s.answers[i] = i ? PART "1-5/6\r\nContent-Length: 5\r\n\r\n" : OK "6\r\n\r\na";
    script_begin(&s, &o);
    CHECK_CODE(berth_blob_get(s.client, "a", DIGEST, sink_take, &sink, NULL, &test_err), BERTH_E_NETWORK);
    CHECK(strstr(test_err.message, "tried 3 times"));
    script_end(&s);
    berth_buf_done(&sink.got);
}

static void test_client_blob_get__reads_the_part_that_is_asked_for(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.offset = 2,
         .length = 3,
         .answers = {PART "2-4/6\r\nContent-Length: 3\r\n\r\ncde"},
         .asked = {"\r\nRange: bytes=2-4\r\n"},
         .got = "cde"},
        {.offset = 4,
         .answers = {PART "4-5/6\r\nContent-Length: 2\r\n\r\nef"},
         .asked = {"\r\nRange: bytes=4-\r\n"},
         .got = "ef"},
        {.length = 2, .answers = {PART "0-1/6\r\nContent-Length: 2\r\n\r\nab"}, .got = "ab"},
        {.offset = 1, .length = 2, .answers = {OK "6\r\n\r\nabcdef"}, .got = "bc"},
        {.offset = 4, .length = 9, .answers = {PART "4-5/6\r\nContent-Length: 2\r\n\r\nef"}, .got = "ef"},
        /* The same blob as before, or else from the beginning. */
        {.offset = 1,
         .length = 4,
         .answers = {PART "1-4/6\r\nETag: \"x\"\r\nContent-Length: 4\r\n\r\nbc",
                     PART "3-4/6\r\nContent-Length: 2\r\n\r\nde"},
         .asked = {"\r\nRange: bytes=1-4\r\n", "\r\nIf-Range: \"x\"\r\n"},
         .got = "bcde"},
        {.offset = 6,
         .answers = {"HTTP/1.1 416 X\r\nContent-Range: bytes */6\r\nContent-Length: 0\r\n\r\n"},
         .code = BERTH_E_RANGE},
        {.offset = 7, .answers = {OK "6\r\n\r\nabcdef"}, .code = BERTH_E_RANGE},
        {.offset = 2,
         .length = 2,
         .answers = {PART "2-5/6\r\nContent-Length: 4\r\n\r\ncdef"},
         .code = BERTH_E_INVALID},
        {.offset = 1, .length = 3, .answers = {PART "1-3/6\r\n\r\nbc"}, .code = BERTH_E_NETWORK}, /* short */
        {.offset = UINT64_MAX, .length = 2, .code = BERTH_E_RANGE},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        run(&rows[i], i);
}

static void test_client_blob_get__into_memory_up_to_a_limit(void **state)
{
    (void)state;
    for (uint64_t max = 5; max <= 6; max++) {
        struct script s = {.answers = {OK "6\r\n\r\nabcdef"}};
        script_begin(&s, NULL);
        berth_call *call = NULL;
        int code = berth_blob_get_memory(s.client, "a", DIGEST, max, &call, &test_err);
        assert_int_equal(code, max == 6 ? BERTH_OK : BERTH_E_TOO_BIG);
        if (code == BERTH_OK)
            CHECK(memcmp(berth_call_content(call)->data, "abcdef", 6) == 0);
        berth_call_free(call);
        script_end(&s);
    }
}

static bool holds(const char *file, const char *text)
{
    CLEANUP(berth_buf_done) berth_buf all = BERTH_BUF_INIT(100);
    return io_read_file(file, &all, NULL) == BERTH_OK && str_eq(berth_buf_str(&all), str_from(text));
}

/* C066: each row is a process of its own, and goes on from the one before. */
static void test_client_blob_get__into_a_file_that_the_next_process_finishes(void **state)
{
    (void)state;
    static const struct {
        const char *answers[3], *asked, *left, *file;
        int code;
    } rows[] = {
        {{"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"}, "-", NULL, NULL, BERTH_E_NOT_FOUND},
        {{OK "6\r\n\r\nabc"}, "-", "abc", NULL, BERTH_E_NETWORK},
        {{PART "3-5/6\r\nContent-Length: 3\r\n\r\nd"}, "bytes=3-", "abcd", NULL, BERTH_E_NETWORK},
        {{"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"}, "bytes=4-", "abcd", NULL, BERTH_E_BUSY},
        {{PART "4-5/6\r\nContent-Length: 2\r\n\r\nef"}, "bytes=4-", NULL, "abcdef", BERTH_OK},
        {{OK "6\r\n\r\nXbcd"}, "-", "Xbcd", "abcdef", BERTH_E_NETWORK},
        /* What was left is wrong: all of it once more. */
        {{PART "4-5/6\r\nContent-Length: 2\r\n\r\nef", OK "6\r\n\r\nabcdef"},
         "bytes=4-",
         NULL,
         "abcdef",
         BERTH_OK},
        {{OK "6\r\n\r\nabcdeX"}, "-", NULL, "abcdef", BERTH_E_DIGEST},
    };
    char folder[] = "/tmp/berth-get-XXXXXX", path[64], left[96];
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/blob", folder);
    snprintf(left, sizeof(left), "%s.%.12s.part", path, DIGEST + 7);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        int code = berth_blob_get_file(s.client, "a", DIGEST, path, NULL, &test_err);
        if (code != rows[i].code)
            fail_msg("row %zu: %d, not %d: %s", i, code, rows[i].code, test_err.message);
        script_end(&s);
        CHECK_ROW(i, rows[i].asked[0] == '-' ? !asked(&s, 0, "\r\nRange:")
                                             : asked(&s, 0, rows[i].asked) != NULL);
        CHECK_ROW(i, rows[i].left ? holds(left, rows[i].left) : access(left, F_OK) < 0);
        CHECK_ROW(i, rows[i].file ? holds(path, rows[i].file) : access(path, F_OK) < 0);
    }
    unlink(path);
    CHECK(rmdir(folder) == 0);
}

struct tank {
    char got[8];
    size_t n;
    bool has_room; /* for one piece */
    unsigned pauses;
};

static int pour(void *arg, const void *p, size_t n)
{
    struct tank *t = arg;
    if (!t->has_room) {
        t->pauses++;
        return BERTH_PAUSE;
    }
    CHECK(t->n + n < sizeof(t->got));
    memcpy(t->got + t->n, p, n);
    t->n += n;
    t->has_room = false;
    return 0;
}

static void test_client_blob_get__pauses_while_its_sink_is_full(void **state)
{
    (void)state;
    static const char *const answers[][2] = {
        {OK "6\r\n\r\nabcdef"},
        {OK "6\r\n\r\nabc", PART "3-5/6\r\nContent-Length: 3\r\n\r\ndef"},
        {OK "6\r\n\r\nabc", OK "6\r\n\r\nabcdef"}, /* what has come already is passed over once */
    };
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct script s = {.retries = true, .answers = {answers[i][0], answers[i][1]}};
        struct tank t = {0};
        berth_call *call = NULL;
        berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
        unsigned heard = 0;
        if (i == 0)
            o.timeout_ms = 1000;
        o.first_wait_ms = 1;
        script_begin(&s, &o);
        CHECK_OK(berth_blob_get_start(s.client, "a", DIGEST, pour, &t, &call, &test_err));
        while (berth_call_result(call, NULL) == BERTH_E_BUSY) {
            struct pollfd p = {.fd = berth_client_fd(s.client), .events = POLLIN};
            if (poll(&p, 1, i ? 50 : 1500) > 0) { /* longer than the time-out */
                berth_client_process(s.client);
            } else if (t.pauses > heard) {
                heard = t.pauses;
                t.has_room = true;
                berth_call_resume(call);
            }
        }
        if (berth_call_result(call, &test_err) != BERTH_OK)
            fail_msg("row %zu: %s", i, test_err.message);
        CHECK_ROW(i, t.pauses > 0 && memcmp(t.got, "abcdef", 6) == 0);
        berth_call_free(call);
        script_end(&s);
    }
}

RUN_TESTS(TEST(test_client_blob_get__pauses_while_its_sink_is_full),
          TEST(test_client_blob_get__goes_on_behind_a_body_that_broke),
          TEST(test_client_blob_get__gives_up_when_it_gets_no_further),
          TEST(test_client_blob_get__reads_the_part_that_is_asked_for),
          TEST(test_client_blob_get__into_memory_up_to_a_limit),
          TEST(test_client_blob_get__into_a_file_that_the_next_process_finishes))
