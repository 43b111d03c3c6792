/* tests/unit/client/progress.c */
#include "fixture.h"

struct seen {
    unsigned steps[BERTH_STEP_RECEIVES + 1];
    berth_step last;
    uint64_t done, total;
    unsigned tries;
};

static void watch(void *arg, const berth_call *call, const berth_progress *p)
{
    struct seen *s = arg;
    CHECK(call && p->done >= s->done && p->tries >= s->tries);
    s->steps[p->step]++;
    s->last = p->step;
    s->done = p->done;
    s->total = p->total;
    s->tries = p->tries;
}

static int nowhere(void *arg, const void *p, size_t n)
{
    (void)arg, (void)p, (void)n;
    return 0;
}

static void test_client_progress__tells_steps_and_bytes(void **state)
{
    (void)state;
    struct script s = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                                   "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
                       .retries = true};
    struct seen seen = {0};
    script_begin(&s, NULL);
    berth_call *call = NULL;
    CHECK_OK(berth_blob_get_start(s.client, "a",
                                  "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                                  nowhere, NULL, &call, &test_err));
    berth_call_on_progress(call, watch, &seen);
    CHECK_OK(berth_call_wait(call, &test_err));
    CHECK(seen.steps[BERTH_STEP_WAITS] == 1 && seen.steps[BERTH_STEP_CONNECTS] == 2 &&
          seen.steps[BERTH_STEP_ANSWER] == 2 && seen.steps[BERTH_STEP_RECEIVES] >= 4);
    CHECK(seen.last == BERTH_STEP_RECEIVES && seen.done == 3 && seen.total == 3 && seen.tries == 1);
    berth_call_free(call);
    script_end(&s);
}

/* --- uploads --- */

#define SIZE        24000000 /* more than any socket holds */
#define HERE        "Location: /up\r\n" EMPTY
#define OPENED      ACCEPTED HERE
#define TOOK(range) ACCEPTED "Range: " range "\r\n" HERE
#define HAS(range)  "HTTP/1.1 204 X\r\nRange: " range "\r\n\r\n"

struct climb {
    uint64_t done, most, total, found;
    unsigned between; /* steps of which some bytes had gone, but not all */
    bool back;        /* it went back once */
};

static void climb(void *arg, const berth_call *call, const berth_progress *p)
{
    struct climb *c = arg;
    (void)call;
    CHECK(p->found <= p->done);
    c->between += p->done && p->done < SIZE;
    c->back |= p->done < c->done;
    c->done = p->done;
    c->most = MAX(c->most, p->done);
    c->total = p->total;
    c->found = p->found;
}

struct flow {
    const char *bytes;
    size_t at;
};

static int flow_read(void *arg, void *p, size_t n, size_t *ret_n)
{
    struct flow *f = arg;
    *ret_n = MIN(MIN(n, (size_t)100000), (size_t)SIZE - f->at);
    memcpy(p, f->bytes + f->at, *ret_n);
    f->at += *ret_n;
    return 0;
}

/* What a blob of SIZE bytes does on its way, in each of the ways there are. */
static void test_client_progress__tells_of_an_upload(void **state)
{
    (void)state;
    static const struct {
        berth_put_mode mode;
        bool streams, asks; /* asks: first, whether it is there */
        const char *resume;
        const char *answers[8];
        unsigned between;
        uint64_t found;
        bool back;
    } rows[] = {
        {BERTH_PUT_AUTO, false, false, NULL, {OPENED, CREATED}, 2, 0, false},
        {BERTH_PUT_SINGLE, false, false, NULL, {CREATED}, 2, 0, false},
        {BERTH_PUT_CHUNKED,
         false,
         false,
         NULL,
         {OPENED, TOOK("0-15999999"), TOOK("0-23999999"), CREATED},
         4,
         0,
         false},
        {BERTH_PUT_AUTO,
         true,
         false,
         NULL,
         {OPENED, TOOK("0-15999999"), TOOK("0-23999999"), CREATED},
         4,
         0,
         false},
        {BERTH_PUT_AUTO,
         false,
         true,
         NULL,
         {"HTTP/1.1 200 OK\r\nContent-Length: 24000000\r\n\r\n"},
         0,
         SIZE,
         false},
        {BERTH_PUT_AUTO,
         false,
         false,
         "/up",
         {HAS("0-7999999"), TOOK("0-23999999"), CREATED},
         4,
         8000000,
         false},
        {BERTH_PUT_AUTO, false, false, "/up", {NOT_THERE, OPENED, CREATED}, 2, 0, false},
        {BERTH_PUT_CHUNKED,
         false,
         false,
         NULL,
         {OPENED, TOOK("0-15999999"), BROKEN, NOT_THERE, OPENED, TOOK("0-15999999"), TOOK("0-23999999"),
          CREATED},
         4,
         0,
         true},
    };
    char *bytes = mem_alloc(SIZE);
    memset(bytes, 'x', SIZE);
    berth_digest digest;
    digest_of(HASH_SHA256, bytes, SIZE, &digest);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {.retries = true};
        struct climb seen = {0};
        struct flow f = {.bytes = bytes};
        berth_call *call = NULL;
        berth_put_options how = BERTH_PUT_OPTIONS_INIT;
        berth_source all = BERTH_SOURCE_BYTES(bytes, SIZE);
        berth_source stream = BERTH_SOURCE_FN(flow_read, NULL, &f, BERTH_LENGTH_UNKNOWN);
        how.digest = rows[i].streams ? NULL : digest.text;
        how.mode = rows[i].mode;
        how.chunk_size = 16000000;
        how.force = !rows[i].asks;
        how.resume = rows[i].resume;
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CHECK_OK(
            berth_blob_put_start(s.client, "a", rows[i].streams ? &stream : &all, &how, &call, &test_err));
        berth_call_on_progress(call, climb, &seen);
        CHECK_OK(berth_call_wait(call, &test_err));
        if (seen.done != SIZE || seen.most != SIZE || seen.total != SIZE || seen.found != rows[i].found ||
            seen.between < rows[i].between || seen.back != rows[i].back)
            fail_msg("row %zu: %llu, at most %llu of %llu, %llu found, %u between, back %d", i,
                     (unsigned long long)seen.done, (unsigned long long)seen.most,
                     (unsigned long long)seen.total, (unsigned long long)seen.found, seen.between, seen.back);
        berth_call_free(call);
        script_end(&s);
    }
    mem_free(bytes);
}

/* Of a chunk that is appended by hand, with a length and without. */
static void test_client_progress__tells_of_a_chunk(void **state)
{
    (void)state;
    char *bytes = mem_alloc(SIZE);
    memset(bytes, 'x', SIZE);
    for (size_t i = 0; i < 2; i++) {
        struct script s = {.answers = {TOOK("0-23999999")}};
        struct climb seen = {0};
        struct flow f = {.bytes = bytes};
        berth_call *call = NULL;
        berth_source from = BERTH_SOURCE_FN(flow_read, NULL, &f, i ? BERTH_LENGTH_UNKNOWN : SIZE);
        script_begin(&s, NULL);
        CHECK_OK(berth_upload_append_start(s.client, "a", "/up", 0, &from, &call, &test_err));
        berth_call_on_progress(call, climb, &seen);
        CHECK_OK(berth_call_wait(call, &test_err));
        CHECK_ROW(i, seen.done == SIZE && seen.between > 1 && seen.total == (i ? UINT64_MAX : SIZE));
        berth_call_free(call);
        script_end(&s);
    }
    mem_free(bytes);
}

RUN_TESTS(TEST(test_client_progress__tells_steps_and_bytes), TEST(test_client_progress__tells_of_an_upload),
          TEST(test_client_progress__tells_of_a_chunk))
