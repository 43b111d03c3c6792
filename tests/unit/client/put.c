/* tests/unit/client/put.c - every way to put a blob, and what may go wrong on each. */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>

#include "util/clock.h"

/* "abc" and "abcdef", sha256 and sha512 */
#define ABC    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABCDEF "sha256:bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
#define NONE   "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define HEAD_ABC    "HEAD /v2/a/blobs/" ABC " HTTP"
#define HEAD_ABCDEF "HEAD /v2/a/blobs/" ABCDEF " HTTP"
#define POST        "POST /v2/a/blobs/uploads/ HTTP"
#define OPENED      ACCEPTED "Location: /up/1?state=x%2Fy&b=c\r\n" EMPTY
#define TOOK(range) ACCEPTED "Location: /up/2?s=2\r\nRange: " range "\r\n" EMPTY
#define HAS(range)  "HTTP/1.1 204 No Content\r\nLocation: /up/3\r\nRange: " range "\r\n\r\n"
#define REFUSES(n)  "HTTP/1.1 " #n " X\r\n" EMPTY
#define GONE        "HTTP/1.1 204 No Content\r\n\r\n"

struct feed {
    const char *text;
    size_t n, at; /* n 0: as long as the text, two bytes at a time */
};

static int feed_read(void *arg, void *p, size_t n, size_t *ret_n)
{
    struct feed *f = arg;
    n = f->n ? MIN(n, f->n - f->at) : MIN(MIN(n, (size_t)2), strlen(f->text) - f->at);
    memcpy(p, f->text + f->at, n);
    f->at += n;
    *ret_n = n;
    return 0;
}

static int feed_seek(void *arg, uint64_t offset)
{
    ((struct feed *)arg)->at = (size_t)offset;
    return 0;
}

static void count(void *arg, const berth_upload *upload)
{
    (void)upload;
    ++*(int *)arg;
}

/* How the content is handed over. */
enum from { BYTES, ONCE, AGAIN, STREAM };

struct row {
    const char *text, *digest; /* digest: of the options; NULL: none */
    enum from from;
    berth_put_mode mode;
    unsigned chunk, above;
    bool force, told;
    const char *mount_from, *resume;
    const char *answers[ANSWERS_MAX];
    struct {
        const char *begins, *body;
    } asked[ANSWERS_MAX];
    int code;
    berth_put_outcome outcome;
    const char *found; /* the digest in the end */
};

static void run(const struct row *row, size_t i)
{
    struct script s = {.retries = true};
    struct feed f = {.text = row->text};
    int told = 0;
    berth_source sources[] = {
        [BYTES] = BERTH_SOURCE_BYTES(row->text, strlen(row->text)),
        [ONCE] = BERTH_SOURCE_FN(feed_read, NULL, &f, strlen(row->text)),
        [AGAIN] = BERTH_SOURCE_FN(feed_read, feed_seek, &f, strlen(row->text)),
        [STREAM] = BERTH_SOURCE_FN(feed_read, NULL, &f, BERTH_LENGTH_UNKNOWN),
    };
    berth_put_options o = BERTH_PUT_OPTIONS_INIT;
    o.digest = row->digest;
    o.mode = row->mode;
    o.chunk_size = row->chunk;
    o.chunk_above = row->above;
    o.force = row->force;
    o.mount_from = row->mount_from;
    o.resume = row->resume;
    o.on_upload = row->told ? count : NULL;
    o.arg = &told;
    memcpy(s.answers, row->answers, sizeof(row->answers));
    script_begin(&s, NULL);
    berth_call *call = NULL;
    test_err.message[0] = '\0';
    int code = berth_blob_put(s.client, "a", &sources[row->from], &o, &call, &test_err);
    if (code != row->code)
        fail_msg("row %zu: %d, not %d: %s", i, code, row->code, test_err.message);
    if (code == BERTH_OK) {
        CHECK_STR_ROW(i, str_from(berth_call_content(call)->digest),
                      str_from(row->found ? row->found : row->digest));
        CHECK_ROW(i, berth_call_put_outcome(call) == row->outcome);
    }
    CHECK_ROW(i, !row->told || told > 0);
    berth_call_free(call);
    script_end(&s);
    for (int k = 0; row->asked[k].begins; k++)
        if (!was(&s, k, row->asked[k].begins, row->asked[k].body))
            fail_msg("row %zu, request %d: %.300s", i, k, s.requests[k]);
}

static void run_all(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        run(&rows[i], i);
}

static void test_client_put__is_a_post_and_a_put(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* The query of the Location is kept as it is. */
        {.text = "abc",
         .answers = {NOT_THERE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{HEAD_ABC, ""}, {POST, ""}, {"PUT /up/1?state=x%2Fy&b=c&digest=" ABC " HTTP", "abc"}}},
        {.text = "abc",
         .digest = ABC,
         .from = ONCE,
         .answers = {NOT_THERE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked = {{HEAD_ABC}, {POST}, {"PUT /up/1?state=x%2Fy&b=c&digest=", "abc"}}},
        {.text = "abc",
         .digest = ABC,
         .from = AGAIN,
         .force = true,
         .answers = {ACCEPTED "Location: up\r\n" EMPTY, CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked = {{POST}, {"PUT /v2/a/blobs/uploads/up?digest=" ABC, "abc"}}},
        /* Nothing is sent of what is there. */
        {.text = "abc",
         .answers = {OK_EMPTY},
         .outcome = BERTH_PUT_PRESENT,
         .found = ABC,
         .asked = {{HEAD_ABC}}},
        /* A registry that won't say whether it is there is tried nevertheless. */
        {.text = "abc",
         .answers = {REFUSES(405), OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC},
        {.text = "", .answers = {NOT_THERE, OPENED, CREATED}, .outcome = BERTH_PUT_STORED, .found = NONE},
        /* Anything but 201 in the end is a failure, and so is another digest. */
        {.text = "abc",
         .answers = {NOT_THERE, OPENED, OPENED, HAS("0-2"), GONE},
         .code = BERTH_E_IO,
         .asked = {{HEAD_ABC},
                   {POST},
                   {"PUT ", "abc"},
                   {"GET /up/1?state=x%2Fy&b=c HTTP"}, /* where it is by now */
                   {"DELETE /up/3 HTTP"}}},
        {.text = "abc",
         .answers = {NOT_THERE, OPENED, "HTTP/1.1 201 X\r\nDocker-Content-Digest: " NONE "\r\n" EMPTY, GONE},
         .code = BERTH_E_DIGEST},
        {.text = "abc",
         .answers =
             {NOT_THERE, OPENED,
              "HTTP/1.1 400 X\r\nContent-Length: 40\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}    ",
              REFUSES(404)},
         .code = BERTH_E_DIGEST},
        {.text = "abc", .answers = {NOT_THERE, CREATED}, .code = BERTH_E_INVALID},
        {.text = "abc", .answers = {NOT_THERE, ACCEPTED EMPTY}, .code = BERTH_E_INVALID},
        {.text = "abc", .answers = {NOT_THERE, REFUSES(403)}, .code = BERTH_E_DENIED},
        {.text = "abc",
         .answers = {NOT_THERE, ACCEPTED "Location: ftp://a/b\r\n" EMPTY},
         .code = BERTH_E_INVALID},
    };
    run_all(rows, COUNT(rows));
}

static void test_client_put__goes_in_chunks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.text = "abcdef",
         .mode = BERTH_PUT_CHUNKED,
         .chunk = 4,
         .force = true,
         .answers = {OPENED, TOOK("0-3"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST},
                   {"PATCH /up/1?state=x%2Fy&b=c HTTP", "abcd"},
                   {"PATCH /up/2?s=2 HTTP", "ef"},
                   {"PUT /up/2?s=2&digest=" ABCDEF " HTTP", ""}}},
        /* As small as the registry allows. */
        {.text = "abcdef",
         .mode = BERTH_PUT_CHUNKED,
         .chunk = 1,
         .force = true,
         .answers = {ACCEPTED "Location: /up/1\r\nOCI-Chunk-Min-Length: 5\r\n" EMPTY, TOOK("0-4"),
                     TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST}, {"PATCH ", "abcde"}, {"PATCH ", "f"}}},
        {.text = "abcdef",
         .chunk = 3,
         .above = 5,
         .force = true,
         .answers = {OPENED, TOOK("0-2"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        {.text = "abcdef",
         .chunk = 3,
         .above = 6,
         .force = true,
         .answers = {OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        /* The digest is found on the way, once or again. */
        {.text = "abcdef",
         .from = AGAIN,
         .answers = {OPENED, TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST}, {"PATCH /up/1?state=x%2Fy&b=c HTTP", "abcdef"}, {"PUT /up/2?s=2&digest=" ABCDEF}}},
        {.text = "abcdef",
         .from = STREAM,
         .chunk = 4,
         .answers = {OPENED, TOOK("0-3"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST}, {"PATCH ", "abcd"}, {"PATCH ", "ef"}}},
        {.text = "abcdef",
         .from = STREAM,
         .chunk = 6,
         .answers = {OPENED, TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        /* A short stream needs no chunks: all of it is at hand. */
        {.text = "abc",
         .from = STREAM,
         .answers = {OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{POST}, {"PUT /up/1?state=x%2Fy&b=c&digest=" ABC, "abc"}}},
        {.text = "",
         .from = STREAM,
         .mode = BERTH_PUT_CHUNKED,
         .answers = {OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = NONE,
         .asked = {{POST}, {"PUT /up/1?state=x%2Fy&b=c&digest=" NONE, ""}}},
        /* A registry that says nothing of ranges has taken it all. */
        {.text = "abc",
         .mode = BERTH_PUT_CHUNKED,
         .force = true,
         .answers = {OPENED, GONE, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{POST}, {"PATCH "}, {"PUT /up/1?state=x%2Fy&b=c&digest="}}},
        /* The digest that was asked for is compared with the one computed before the session is closed. */
        {.text = "abc",
         .digest = NONE,
         .mode = BERTH_PUT_CHUNKED,
         .force = true,
         .answers = {OPENED, TOOK("0-2"), GONE},
         .code = BERTH_E_DIGEST,
         .asked = {{POST}, {"PATCH "}, {"DELETE /up/2?s=2 HTTP"}}},
        {.text = "abc",
         .digest = NONE,
         .from = STREAM,
         .force = true,
         .mode = BERTH_PUT_CHUNKED,
         .answers = {OPENED, TOOK("0-2"), GONE},
         .code = BERTH_E_DIGEST},
        {.text = "abc",
         .mode = BERTH_PUT_CHUNKED,
         .force = true,
         .answers = {OPENED, TOOK("0-7"), GONE},
         .code = BERTH_E_RANGE},
        /* Chunks that nobody can keep in memory. */
        {.text = "abc",
         .from = STREAM,
         .answers = {ACCEPTED "Location: /up/1\r\nOCI-Chunk-Min-Length: 9000000000000\r\n" EMPTY, GONE},
         .code = BERTH_E_TOO_BIG},
    };
    run_all(rows, COUNT(rows));
}

static void test_client_put__goes_on_where_it_broke(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, NOT_THERE, HAS("0-3"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST},
                   {"PUT ", "abcdef"},
                   {HEAD_ABCDEF},
                   {"GET /up/1?state=x%2Fy&b=c HTTP"},
                   {"PATCH /up/3 HTTP", "ef"},
                   {"PUT /up/2?s=2&digest=" ABCDEF " HTTP", ""}}},
        /* The PUT was taken, and only its answer lost. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, OK_EMPTY},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        /* All but the end is there. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, NOT_THERE, HAS("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        /* "0-0" is one byte, or none: begin anew. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, NOT_THERE, HAS("0-0"), GONE, OPENED, TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST},
                   {"PUT "},
                   {HEAD_ABCDEF},
                   {"GET "},
                   {"DELETE /up/3 HTTP"},
                   {POST},
                   {"PATCH /up/1", "abcdef"},
                   {"PUT /up/2", ""}}},
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, NOT_THERE, NOT_THERE, OPENED, TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        /* An answer that is no break says nothing against a PUT. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, REFUSES(503), NOT_THERE, NOT_THERE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST}, {"PUT "}, {HEAD_ABCDEF}, {"GET "}, {POST}, {"PUT ", "abcdef"}}},
        /* What a stream still has in memory is not sent as a whole again either. */
        {.text = "abc",
         .from = STREAM,
         .answers = {OPENED, BROKEN, NOT_THERE, NOT_THERE, OPENED, TOOK("0-1"), TOOK("0-2"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked =
             {{POST}, {"PUT "}, {HEAD_ABC}, {"GET "}, {POST}, {"PATCH ", "abc"}, {"PATCH ", "c"}, {"PUT "}}},
        /* A break counts once, whatever it costs to meet it. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, NOT_THERE, NOT_THERE, OPENED, BROKEN, NOT_THERE, OPENED, BROKEN,
                     NOT_THERE, OPENED, BROKEN, NOT_THERE, OPENED, TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        /* Without a break the registry loses it only so often. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, NOT_THERE, OPENED, NOT_THERE, OPENED, NOT_THERE, OPENED, NOT_THERE, OPENED,
                     NOT_THERE, OPENED, NOT_THERE},
         .code = BERTH_E_NOT_FOUND},
        /* The question whether it is there is asked again, too. */
        {.text = "abc",
         .answers = {BROKEN, NOT_THERE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{HEAD_ABC}, {HEAD_ABC}, {POST}, {"PUT ", "abc"}}},
        /* A POST with all of it: its answer was lost, or more of it. */
        {.text = "abc",
         .mode = BERTH_PUT_SINGLE,
         .force = true,
         .answers = {BROKEN, OK_EMPTY},
         .outcome = BERTH_PUT_STORED,
         .found = ABC},
        {.text = "abc",
         .mode = BERTH_PUT_SINGLE,
         .force = true,
         .answers = {BROKEN, NOT_THERE, OPENED, TOOK("0-2"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{"POST "}, {HEAD_ABC}, {POST, ""}, {"PATCH ", "abc"}, {"PUT ", ""}}},
        /* More than there is can't be ours. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, NOT_THERE, HAS("0-6"), GONE, OPENED, TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF},
        {.text = "abcdef",
         .mode = BERTH_PUT_CHUNKED,
         .chunk = 4,
         .force = true,
         .answers = {OPENED, TOOK("0-3"), REFUSES(416), HAS("0-1"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked =
             {{POST}, {"PATCH ", "abcd"}, {"PATCH ", "ef"}, {"GET /up/2?s=2 "}, {"PATCH /up/3 ", "cdef"}}},
        {.text = "abcdef",
         .mode = BERTH_PUT_CHUNKED,
         .chunk = 4,
         .force = true,
         .answers = {OPENED, TOOK("0-1"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST}, {"PATCH ", "abcd"}, {"PATCH ", "cdef"}}},
        /* A stream's chunk is sent again from memory. */
        {.text = "abcdef",
         .from = STREAM,
         .chunk = 4,
         .answers = {OPENED, BROKEN, HAS("0-1"), TOOK("0-3"), BROKEN, HAS("0-3"), REFUSES(502), HAS("0-4"),
                     TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABCDEF,
         .asked = {{POST},
                   {"PATCH ", "abcd"},
                   {"GET "},
                   {"PATCH ", "cd"},
                   {"PATCH ", "ef"},
                   {"GET "},
                   {"PATCH ", "ef"},
                   {"GET "},
                   {"PATCH ", "f"}}},
        {.text = "abcdef",
         .from = STREAM,
         .chunk = 4,
         .answers = {OPENED, TOOK("0-3"), BROKEN, HAS("0-1"), GONE},
         .code = BERTH_E_NETWORK}, /* what lies before the chunk is gone */
        {.text = "abcdef",
         .digest = ABCDEF,
         .from = ONCE,
         .force = true,
         .answers = {OPENED, BROKEN, HAS("0-1"), GONE},
         .code = BERTH_E_NETWORK,
         .asked = {{POST}, {"PUT "}, {"GET /up/1?state=x%2Fy&b=c HTTP"}, {"DELETE /up/3 HTTP"}}},
        /* It moves on while it is taken back: once more; and one that won't tell where it is. */
        {.text = "abcdef",
         .digest = ABCDEF,
         .from = ONCE,
         .force = true,
         .answers = {OPENED, BROKEN, HAS("0-1"), REFUSES(416), HAS("0-3"), GONE},
         .code = BERTH_E_NETWORK,
         .asked = {{POST}, {"PUT "}, {"GET "}, {"DELETE /up/3 "}, {"GET /up/3 "}, {"DELETE /up/3 "}}},
        {.text = "abcdef",
         .digest = ABCDEF,
         .from = ONCE,
         .force = true,
         .answers = {OPENED, BROKEN, REFUSES(405), REFUSES(405)},
         .code = BERTH_E_NETWORK,
         .asked = {{POST}, {"PUT "}, {"GET "}, {"DELETE /up/1?state=x%2Fy&b=c HTTP"}}},
        /* Somebody knows the session: it stays. */
        {.text = "abcdef",
         .digest = ABCDEF,
         .from = ONCE,
         .force = true,
         .told = true,
         .answers = {OPENED, BROKEN},
         .code = BERTH_E_NETWORK},
        {.text = "abcdef",
         .told = true,
         .force = true,
         .mode = BERTH_PUT_CHUNKED,
         .digest = NONE,
         .answers = {OPENED, TOOK("0-5"), GONE},
         .code = BERTH_E_DIGEST},
        /* Not for ever. */
        {.text = "abcdef",
         .force = true,
         .answers = {OPENED, BROKEN, BROKEN, BROKEN, BROKEN, BROKEN, BROKEN, GONE},
         .code = BERTH_E_NETWORK},
    };
    run_all(rows, COUNT(rows));
}

static void test_client_put__goes_on_with_a_session_of_another_process(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.text = "abcdef",
         .digest = ABCDEF,
         .resume = "/up/9?t=1",
         .told = true,
         .answers = {NOT_THERE, HAS("0-3"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked = {{HEAD_ABCDEF},
                   {"GET /up/9?t=1 HTTP"},
                   {"PATCH /up/3 HTTP", "ef"},
                   {"PUT /up/2?s=2&digest=" ABCDEF, ""}}},
        {.text = "abcdef",
         .digest = ABCDEF,
         .mode = BERTH_PUT_CHUNKED,
         .chunk = 1,
         .force = true,
         .resume = "/up/9?t=1",
         .answers = {HAS("0-3"), TOOK("0-4"), TOOK("0-5"), CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked = {{"GET /up/9?t=1 HTTP"}, {"PATCH ", "e"}, {"PATCH ", "f"}}},
        /* Bytes of the connection that is gone come in after it was asked, or are in the way of the digest.
         */
        {.text = "abcdef",
         .digest = ABCDEF,
         .force = true,
         .resume = "/up/9",
         .answers = {HAS("0-1"), TOOK("0-8"), GONE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked =
             {{"GET /up/9 "}, {"PATCH ", "cdef"}, {"DELETE /up/2?s=2 HTTP"}, {POST}, {"PUT ", "abcdef"}}},
        {.text = "abcdef",
         .digest = ABCDEF,
         .force = true,
         .resume = "/up/9",
         .answers =
             {HAS("0-1"), TOOK("0-5"),
              "HTTP/1.1 400 X\r\nContent-Length: 40\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}    ",
              GONE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED},
        /* Once: it may be wrong. */
        {.text = "abcdef",
         .digest = ABCDEF,
         .force = true,
         .resume = "/up/9",
         .answers =
             {HAS("0-1"), TOOK("0-8"), GONE, OPENED,
              "HTTP/1.1 400 X\r\nContent-Length: 40\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}    ",
              REFUSES(404)},
         .code = BERTH_E_DIGEST},
        {.text = "abcdef",
         .digest = ABCDEF,
         .resume = "/up/9",
         .answers = {OK_EMPTY},
         .outcome = BERTH_PUT_PRESENT},
        {.text = "abcdef",
         .digest = ABCDEF,
         .resume = "/up/9",
         .answers = {NOT_THERE, NOT_THERE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED},
        {.text = "abcdef", .resume = "/up/9", .from = AGAIN, .code = BERTH_E_INVALID},
        {.text = "abcdef", .digest = ABCDEF, .resume = "file:///etc/passwd", .code = BERTH_E_INVALID},
    };
    run_all(rows, COUNT(rows));
}

static void test_client_put__is_a_single_post_only_where_asked_for(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.text = "abc",
         .mode = BERTH_PUT_SINGLE,
         .force = true,
         .answers = {CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{"POST /v2/a/blobs/uploads/?digest=" ABC " HTTP", "abc"}}},
        {.text = "abc",
         .mode = BERTH_PUT_SINGLE,
         .force = true,
         .answers = {OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC,
         .asked = {{"POST ", "abc"}, {"PUT /up/1?state=x%2Fy&b=c&digest=", "abc"}}},
        {.text = "abc",
         .mode = BERTH_PUT_SINGLE,
         .force = true,
         .answers = {REFUSES(405), OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .found = ABC},
        {.text = "abc",
         .mode = BERTH_PUT_SINGLE,
         .force = true,
         .answers = {REFUSES(403)},
         .code = BERTH_E_DENIED},
        {.text = "abc", .mode = BERTH_PUT_SINGLE, .from = STREAM, .digest = ABC, .code = BERTH_E_INVALID},
        {.text = "abc", .mode = BERTH_PUT_SINGLE, .from = AGAIN, .code = BERTH_E_INVALID},
    };
    run_all(rows, COUNT(rows));
}

static void test_client_put__tries_to_mount_first(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.text = "abc",
         .digest = ABC,
         .mount_from = "b/c",
         .answers = {NOT_THERE, CREATED},
         .outcome = BERTH_PUT_MOUNTED,
         .asked = {{HEAD_ABC}, {"POST /v2/a/blobs/uploads/?mount=" ABC "&from=b/c HTTP", ""}}},
        {.text = "abc",
         .digest = ABC,
         .mount_from = "",
         .answers = {NOT_THERE, OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked = {{HEAD_ABC}, {"POST /v2/a/blobs/uploads/?mount=" ABC " HTTP", ""}, {"PUT /up/1", "abc"}}},
        {.text = "abc",
         .digest = ABC,
         .mount_from = "b",
         .answers = {NOT_THERE, REFUSES(403), OPENED, CREATED},
         .outcome = BERTH_PUT_STORED,
         .asked = {{HEAD_ABC}, {"POST "}, {POST}, {"PUT ", "abc"}}},
        {.text = "abc", .digest = ABC, .mount_from = "B", .code = BERTH_E_INVALID},
        {.text = "abc", .from = AGAIN, .mount_from = "b", .code = BERTH_E_INVALID},
    };
    run_all(rows, COUNT(rows));
}

static void test_client_put__mounts_alone(void **state)
{
    (void)state;
    static const struct {
        const char *from, *answers[4], *begins;
        int code;
    } rows[] = {
        {"b/c", {CREATED}, "POST /v2/a/blobs/uploads/?mount=" ABC "&from=b/c HTTP", BERTH_OK},
        {NULL, {CREATED}, "POST /v2/a/blobs/uploads/?mount=" ABC " HTTP", BERTH_OK},
        {"b", {OPENED, GONE}, "POST ", BERTH_E_NOT_FOUND}, /* and no session is left behind */
        {"b", {REFUSES(404)}, "POST ", BERTH_E_NOT_FOUND},
        {"b", {"HTTP/1.1 201 X\r\nDocker-Content-Digest: " NONE "\r\n" EMPTY}, "POST ", BERTH_E_DIGEST},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        berth_call *call = NULL;
        CHECK_ROW(i, berth_blob_mount(s.client, "a", ABC, rows[i].from, &call, &test_err) == rows[i].code);
        CHECK_ROW(i, rows[i].code != BERTH_OK || berth_call_put_outcome(call) == BERTH_PUT_MOUNTED);
        berth_call_free(call);
        script_end(&s);
        CHECK_ROW(i, was(&s, 0, rows[i].begins, ""));
    }
}

/* Content-Range says where a chunk belongs; no Range goes along. */
static void test_client_put__names_the_place_of_a_chunk(void **state)
{
    (void)state;
    static struct script s = {.answers = {OPENED, TOOK("0-3"), TOOK("0-5"), CREATED}};
    berth_source source = BERTH_SOURCE_BYTES("abcdef", 6);
    berth_put_options o = BERTH_PUT_OPTIONS_INIT;
    o.mode = BERTH_PUT_CHUNKED;
    o.chunk_size = 4;
    o.force = true;
    script_begin(&s, NULL);
    CHECK_OK(berth_blob_put(s.client, "a", &source, &o, NULL, &test_err));
    script_end(&s);
    CHECK(asked(&s, 0, "\r\nContent-Length: 0\r\n"));
    CHECK(asked(&s, 1, "\r\nContent-Range: 0-3\r\n") && asked(&s, 1, "\r\nContent-Length: 4\r\n"));
    CHECK(asked(&s, 2, "\r\nContent-Range: 4-5\r\n") && !asked(&s, 2, "\r\nRange:") &&
          !asked(&s, 2, "\r\nExpect:"));
    CHECK(asked(&s, 1, "\r\nContent-Type: application/octet-stream\r\n"));
    CHECK(asked(&s, 3, "\r\nContent-Length: 0\r\n") && !asked(&s, 3, "\r\nContent-Type:"));
}

/* The Location may lie elsewhere: that host gets the bytes, and no credentials. */
static void test_client_put__sends_no_credentials_to_another_hosts_location(void **state)
{
    (void)state;
    static struct script other = {.answers = {CREATED}};
    script_begin(&other, NULL);
    char opened[256];
    snprintf(opened, sizeof(opened), ACCEPTED "Location: http://%s/put?sig=1\r\n" EMPTY, other.host);
    struct script s = {
        .answers = {UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n", NOT_THERE, opened}};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "u";
    o.password = "p";
    script_begin(&s, &o);
    berth_source source = BERTH_SOURCE_BYTES("abc", 3);
    CHECK_OK(berth_blob_put(s.client, "a", &source, NULL, NULL, &test_err));
    script_end(&s);
    script_end(&other);
    CHECK(asked(&s, 2, "\r\nAuthorization: Basic"));
    CHECK(was(&other, 0, "PUT /put?sig=1&digest=" ABC " HTTP", "abc") &&
          !asked(&other, 0, "\r\nAuthorization:"));
}

struct later {
    const char *digest;
    int answer; /* once it is known */
    unsigned pauses, asked;
    berth_call *call;
};

static int tell_later(void *arg, const char **ret_digest)
{
    struct later *l = arg;
    if (l->asked++ < l->pauses) {
        berth_call_resume(l->call);
        return BERTH_PAUSE;
    }
    *ret_digest = l->digest;
    return l->answer;
}

/* All is sent, and then nothing goes on until the digest is known. */
static void test_client_put__waits_for_a_digest_that_comes_later(void **state)
{
    (void)state;
    static const struct {
        struct later later;
        unsigned chunk;
        const char *answers[5];
        int code;
        bool in_memory;
    } rows[] = {
        {{.digest = ABC}, 0, {OPENED, TOOK("0-2"), CREATED}, BERTH_OK, false},
        {{.digest = ABC, .pauses = 3}, 0, {OPENED, TOOK("0-2"), CREATED}, BERTH_OK, false},
        {{.digest = ABC, .pauses = 1}, 0, {OPENED, TOOK("0-2"), CREATED}, BERTH_OK, true},
        {{.digest = ABC, .pauses = 1}, 2, {OPENED, TOOK("0-1"), TOOK("0-2"), CREATED}, BERTH_OK, false},
        {{.digest = ABC, .answer = 1}, 0, {OPENED, TOOK("0-2"), GONE}, BERTH_E_CANCELLED, false},
        {{.digest = NULL}, 0, {OPENED, TOOK("0-2"), GONE}, BERTH_E_CANCELLED, false},
        {{.digest = "sha256:abc"}, 0, {OPENED, TOOK("0-2"), GONE}, BERTH_E_INVALID, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script s = {0};
        struct feed f = {.text = "abc"};
        struct later later = rows[i].later;
        berth_source source = BERTH_SOURCE_FN(feed_read, feed_seek, &f, 3);
        if (rows[i].in_memory)
            source = (berth_source)BERTH_SOURCE_BYTES("abc", 3);
        berth_put_options o = BERTH_PUT_OPTIONS_INIT;
        o.digest_later = tell_later;
        o.arg = &later;
        o.chunk_size = rows[i].chunk;
        o.mode = rows[i].chunk ? BERTH_PUT_CHUNKED : BERTH_PUT_AUTO;
        memcpy(s.answers, rows[i].answers, sizeof(rows[i].answers));
        script_begin(&s, NULL);
        CHECK_OK(berth_blob_put_start(s.client, "a", &source, &o, &later.call, &test_err));
        CHECK_ROW(i, berth_call_wait(later.call, &test_err) == rows[i].code);
        if (rows[i].code == BERTH_OK)
            CHECK_STR_ROW(i, str_from(berth_call_content(later.call)->digest), str_from(ABC));
        berth_call_free(later.call);
        script_end(&s);
        CHECK_ROW(i, was(&s, 0, POST, "") && was(&s, 1, "PATCH /up/1?", rows[i].chunk ? "ab" : "abc"));
        int last = rows[i].chunk ? 3 : 2;
        CHECK_ROW(i, rows[i].code == BERTH_OK ? was(&s, last, "PUT /up/2?s=2&digest=" ABC " HTTP", "")
                                              : was(&s, last, "DELETE /up/2?", ""));
        CHECK_ROW(i, later.asked == rows[i].later.pauses + 1);
    }
}

static void test_client_put__digest_comes_later_of_what_can_be_read_twice(void **state)
{
    (void)state;
    struct script s = {0};
    struct feed f = {.text = "abc"};
    berth_source sources[] = {BERTH_SOURCE_FN(feed_read, NULL, &f, 3),
                              BERTH_SOURCE_FN(feed_read, feed_seek, &f, BERTH_LENGTH_UNKNOWN),
                              BERTH_SOURCE_FN(feed_read, feed_seek, &f, 3)};
    script_begin(&s, NULL);
    for (size_t i = 0; i < COUNT(sources); i++) {
        berth_put_options o = BERTH_PUT_OPTIONS_INIT;
        o.digest_later = tell_later;
        o.digest = i == 2 ? ABC : NULL;
        CHECK_ROW(i, berth_blob_put(s.client, "a", &sources[i], &o, NULL, &test_err) == BERTH_E_INVALID);
    }
    script_end(&s);
}

/* With a name and a password. */
static int put_abc(struct script *s, enum from from)
{
    struct feed f = {.text = "abc"};
    berth_source sources[] = {[BYTES] = BERTH_SOURCE_BYTES("abc", 3),
                              [AGAIN] = BERTH_SOURCE_FN(feed_read, feed_seek, &f, 3),
                              [ONCE] = BERTH_SOURCE_FN(feed_read, NULL, &f, 3)};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "u";
    o.password = "p";
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    how.digest = ABC;
    how.force = true;
    script_begin(s, &o);
    int r = berth_blob_put(s->client, "a", &sources[from], &how, NULL, &test_err);
    script_end(s);
    return r;
}

/* A body that was on its way is sent again after a challenge, and after a redirect. */
static void test_client_put__sends_a_body_again(void **state)
{
    (void)state;
    static const char *const again[] = {
        UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
        "HTTP/1.1 307 X\r\nLocation: /elsewhere\r\n" EMPTY,
        "HTTP/1.1 308 X\r\nLocation: /elsewhere\r\n" EMPTY,
    };
    static const enum from froms[] = {BYTES, AGAIN, ONCE};
    for (size_t i = 0; i < COUNT(again) * COUNT(froms); i++) {
        struct script s = {.answers = {OPENED, again[i % COUNT(again)], CREATED}};
        enum from from = froms[i / COUNT(again)];
        CHECK_ROW(i, put_abc(&s, from) == BERTH_OK);
        CHECK_ROW(i, was(&s, 1, "PUT ", from == ONCE ? "" : "abc") && was(&s, 2, "PUT ", "abc"));
        struct script greedy = {.greedy = true, .answers = {OPENED, again[i % COUNT(again)], GONE}};
        if (from == ONCE) /* it took the body, and refuses only then */
            CHECK_ROW(i, put_abc(&greedy, from) == BERTH_E_UNSUPPORTED);
    }
    static struct script s = {.answers = {OPENED, "HTTP/1.1 303 X\r\nLocation: /elsewhere\r\n" EMPTY, GONE}};
    berth_source source = BERTH_SOURCE_BYTES("abc", 3);
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    how.force = true;
    script_begin(&s, NULL); /* a GET would put nothing */
    CHECK_CODE(berth_blob_put(s.client, "a", &source, &how, NULL, &test_err), BERTH_E_INVALID);
    script_end(&s);
}

/* What can be sent only once waits until the registry says that it will take it. */
static void test_client_put__asks_before_it_sends_what_it_can_send_only_once(void **state)
{
    (void)state;
    size_t n = 3 * MIB;
    char *text = mem_alloc(n + 1);
    memset(text, 'x', n);
    text[n] = '\0';
    berth_digest digest;
    digest_of(HASH_SHA256, text, n, &digest);
    struct feed f = {.text = text, .n = n};
    static struct script s = {
        .answers = {OPENED, UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n", CREATED}};
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.username = "u";
    o.password = "p";
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    how.digest = digest.text;
    how.force = true;
    script_begin(&s, &o);
    berth_source source = BERTH_SOURCE_FN(feed_read, NULL, &f, n);
    CHECK_OK(berth_blob_put(s.client, "a", &source, &how, NULL, &test_err));
    script_end(&s);
    CHECK(asked(&s, 1, "\r\nExpect: 100-continue\r\n") && !*sent(&s, 1));
    CHECK(asked(&s, 2, "\r\nExpect: 100-continue\r\n") && s.received[2] > n);
    mem_free(text);
}

/* In whatever way its bytes go, and the registry gets no blob of another length than was said. */
static void test_client_put__refuses_a_source_of_another_length(void **state)
{
    (void)state;
    static const char *const texts[] = {"ab", "abcd", ""};
    static const struct {
        berth_put_mode mode;
        const char *digest;
        bool again;
        unsigned chunk;
        const char *answers[3][6]; /* where there is too little, too much, nothing */
    } rows[] = {
        {BERTH_PUT_AUTO,
         ABC,
         false,
         0,
         {{OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}}},
        {BERTH_PUT_AUTO,
         ABC,
         true,
         0,
         {{OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}}},
        {BERTH_PUT_AUTO, NULL, false, 0, {{OPENED, GONE}, {OPENED, GONE}, {OPENED, GONE}}},
        {BERTH_PUT_AUTO,
         NULL,
         true,
         0,
         {{OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}}},
        {BERTH_PUT_SINGLE, ABC, false, 0, {{BROKEN}, {BROKEN}, {BROKEN}}},
        {BERTH_PUT_SINGLE, ABC, true, 0, {{BROKEN}, {BROKEN}, {BROKEN}}},
        {BERTH_PUT_CHUNKED, NULL, false, 0, {{OPENED, GONE}, {OPENED, GONE}, {OPENED, GONE}}},
        {BERTH_PUT_CHUNKED,
         ABC,
         true,
         0,
         {{OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}, {OPENED, BROKEN, GONE}}},
        {BERTH_PUT_CHUNKED,
         NULL,
         false,
         2,
         {{OPENED, TOOK("0-1"), REFUSES(404)}, {OPENED, TOOK("0-1"), REFUSES(404)}, {OPENED, GONE}}},
    };
    for (size_t i = 0; i < COUNT(rows) * COUNT(texts); i++) {
        size_t row = i / COUNT(texts), t = i % COUNT(texts);
        struct script s = {0};
        struct feed f = {.text = texts[t]};
        berth_source source = BERTH_SOURCE_FN(feed_read, rows[row].again ? feed_seek : NULL, &f, 3);
        berth_put_options how = BERTH_PUT_OPTIONS_INIT;
        how.digest = rows[row].digest;
        how.mode = rows[row].mode;
        how.chunk_size = rows[row].chunk;
        how.force = true;
        memcpy(s.answers, rows[row].answers[t], sizeof(rows[row].answers[t]));
        script_begin(&s, NULL);
        int code = berth_blob_put(s.client, "a", &source, &how, NULL, &test_err);
        if (code != BERTH_E_INVALID || !strstr(test_err.message, t == 1 ? "longer" : "shorter"))
            fail_msg("row %zu, '%s': %d %s", row, texts[t], code, test_err.message);
        script_end(&s);
        for (int k = 0; k < 2; k++)
            CHECK_ROW(i, strcmp(sent(&s, k), "abc") != 0);
    }
}

/* One that was said to be empty is asked whether it is. */
static void test_client_put__refuses_a_source_that_is_not_empty(void **state)
{
    (void)state;
    static const char *const digests[] = {NONE, NULL};
    for (size_t i = 0; i < 3 * COUNT(digests); i++) {
        if (i / 2 == BERTH_PUT_SINGLE && !digests[i % 2])
            continue;
        struct script s = {.answers = {OPENED, GONE}};
        struct feed f = {.text = "a"};
        berth_source source = BERTH_SOURCE_FN(feed_read, NULL, &f, 0);
        berth_put_options how = BERTH_PUT_OPTIONS_INIT;
        how.digest = digests[i % 2];
        how.mode = (berth_put_mode)(i / 2);
        how.force = true;
        script_begin(&s, NULL);
        CHECK_CODE(berth_blob_put(s.client, "a", &source, &how, NULL, &test_err), BERTH_E_INVALID);
        script_end(&s);
    }
}

/* --- sources that have nothing yet --- */

struct slow {
    const char *text;
    size_t at;
    bool has; /* one byte, until it is asked for it */
    unsigned pauses;
};

static int slow_read(void *arg, void *p, size_t n, size_t *ret_n)
{
    struct slow *f = arg;
    *ret_n = 0;
    if (!f->text[f->at])
        return 0;
    if (!f->has || !n) {
        f->pauses++;
        return BERTH_PAUSE;
    }
    *(char *)p = f->text[f->at++];
    *ret_n = 1;
    f->has = false;
    return 0;
}

static void process(const struct script *s, int ms)
{
    struct pollfd p = {.fd = berth_client_fd(s->client), .events = POLLIN};
    if (poll(&p, 1, ms) > 0)
        berth_client_process(s->client);
}

/* One body as it comes; pieces through memory, of known and of unknown length. */
static const struct {
    const char *digest;
    uint64_t length;
    berth_put_mode mode;
    const char *answers[6], *freed[6]; /* freed: where it is given up while it pauses */
} paused_rows[] = {
    {ABC, 3, BERTH_PUT_AUTO, {NOT_THERE, OPENED, CREATED}, {NOT_THERE, OPENED, BROKEN, HAS("0-1"), GONE}},
    {NULL, BERTH_LENGTH_UNKNOWN, BERTH_PUT_AUTO, {OPENED, TOOK("0-1"), TOOK("0-2"), CREATED}, {OPENED, GONE}},
    {ABC,
     3,
     BERTH_PUT_CHUNKED,
     {NOT_THERE, OPENED, TOOK("0-1"), TOOK("0-2"), CREATED},
     {NOT_THERE, OPENED, GONE}},
};

static void begin_paused(struct script *s, struct slow *f, size_t row, const char *const *answers,
                         const berth_put_options *how, berth_call **ret_call)
{
    berth_client_options co = BERTH_CLIENT_OPTIONS_INIT;
    berth_source from = BERTH_SOURCE_FN(slow_read, NULL, f, paused_rows[row].length);
    berth_put_options o = *how;
    co.timeout_ms = 1000;
    o.digest = paused_rows[row].digest;
    o.mode = paused_rows[row].mode;
    o.chunk_size = 2;
    memcpy(s->answers, answers, sizeof(paused_rows[row].answers));
    script_begin(s, &co);
    CHECK_OK(berth_blob_put_start(s->client, "a", &from, &o, ret_call, &test_err));
}

static void test_client_put__pauses_while_its_source_has_nothing(void **state)
{
    (void)state;
    static const berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    for (size_t i = 0; i < COUNT(paused_rows); i++) {
        struct script s = {0};
        struct slow f = {.text = "abc"};
        berth_call *call = NULL;
        unsigned heard = 0;
        begin_paused(&s, &f, i, paused_rows[i].answers, &how, &call);
        while (berth_call_result(call, NULL) == BERTH_E_BUSY) {
            process(&s, 1000);
            if (f.pauses == heard)
                continue;
            heard = f.pauses;
            for (int64_t until = clock_mono_ms() + 1500; heard == 1 && clock_mono_ms() < until;)
                process(&s, 20); /* longer than any time-out, and it doesn't ask by itself */
            CHECK_ROW(i, f.pauses == heard);
            f.has = true;
            berth_call_resume(call);
        }
        if (berth_call_result(call, &test_err) != BERTH_OK)
            fail_msg("row %zu: %s", i, test_err.message);
        CHECK_STR_ROW(i, str_from(berth_call_content(call)->digest), str_from(ABC));
        CHECK_ROW(i, f.pauses >= 3);
        berth_call_resume(call); /* does no harm */
        berth_call_free(call);
        script_end(&s);
    }
}

/* The last request is the DELETE of the session. */
static void check_taken_back(struct script *s, size_t row)
{
    int last = -1;
    script_end(s);
    while (s->answers[last + 1])
        last++;
    bool moved = was(s, last - 1, "GET ", "");
    if (!was(s, last, moved ? "DELETE /up/3 HTTP" : "DELETE /up/1?state=x%2Fy&b=c HTTP", ""))
        fail_msg("row %zu: %.100s", row, s->requests[last]);
}

static void test_client_put__takes_its_session_back_when_it_is_freed(void **state)
{
    (void)state;
    static const berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    for (size_t i = 0; i < COUNT(paused_rows); i++) {
        struct script s = {0};
        struct slow f = {.text = "abc"};
        berth_call *call = NULL;
        begin_paused(&s, &f, i, paused_rows[i].freed, &how, &call);
        while (!f.pauses)
            process(&s, 1000);
        berth_call_resume(call); /* before it is asked for */
        berth_call_free(call);
        check_taken_back(&s, i);
    }
}

static void count_end(berth_call *call, void *arg)
{
    CHECK(berth_call_result(call, NULL) == BERTH_E_CANCELLED);
    ++*(int *)arg;
}

static void *cancel(void *client)
{
    berth_client_cancel(client);
    return NULL;
}

/* By whoever drives the client, and by another thread. */
static void test_client_put__takes_its_session_back_when_all_are_cancelled(void **state)
{
    (void)state;
    static const berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    for (size_t i = 0; i < 2 * COUNT(paused_rows); i++) {
        struct script s = {0};
        struct slow f = {.text = "abc"};
        berth_call *call = NULL;
        pthread_t thread;
        int ended = 0;
        begin_paused(&s, &f, i / 2, paused_rows[i / 2].freed, &how, &call);
        berth_call_on_done(call, count_end, &ended);
        while (!f.pauses)
            process(&s, 1000);
        if (i % 2) {
            CHECK(pthread_create(&thread, NULL, cancel, s.client) == 0);
            CHECK_CODE(berth_call_wait(call, &test_err), BERTH_E_CANCELLED);
            pthread_join(thread, NULL);
        } else {
            berth_client_cancel(s.client);
            CHECK_CODE(berth_call_result(call, &test_err), BERTH_E_CANCELLED);
        }
        CHECK_ROW(i, ended == 1);
        CHECK_ROW(i, s.answers[atomic_load(&s.n_requests)] == NULL); /* not only when the client is freed */
        berth_call_free(call);
        check_taken_back(&s, i);
    }
}

/* Somebody knows the session, and may go on with it: it stays. */
static void test_client_put__leaves_a_session_that_somebody_knows(void **state)
{
    (void)state;
    static const char *const answers[6] = {NOT_THERE, OPENED};
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    struct script s = {0};
    struct slow f = {.text = "abc"};
    berth_call *call = NULL;
    int told = 0;
    how.on_upload = count;
    how.arg = &told;
    begin_paused(&s, &f, 2, answers, &how, &call);
    while (!f.pauses)
        process(&s, 1000);
    berth_client_cancel(s.client);
    berth_call_free(call);
    script_end(&s); /* which finds every request answered */
    CHECK(told == 1);
}

/* A registry that says nothing any more does not hold anybody for long. */
static void test_client_put__takes_its_session_back_in_short_time_or_not(void **state)
{
    (void)state;
    struct script s = {.answers = {OPENED, BROKEN, GONE}, .holds = 2};
    struct feed f = {.text = "abc"};
    berth_client_options co = BERTH_CLIENT_OPTIONS_INIT;
    berth_put_options how = BERTH_PUT_OPTIONS_INIT;
    how.digest = ABC;
    how.force = true;
    berth_source source = BERTH_SOURCE_FN(feed_read, NULL, &f, 3);
    script_begin(&s, &co);
    int64_t began = clock_mono_ms();
    CHECK_CODE(berth_blob_put(s.client, "a", &source, &how, NULL, &test_err), BERTH_E_NETWORK);
    int64_t took = clock_mono_ms() - began;
    CHECK(took >= 2500 && took < 10000);
    atomic_store(&s.released, true);
    script_end(&s);
}

struct writer {
    int fd;
    berth_call *call;
};

static void *write_slowly(void *arg)
{
    struct writer *w = arg;
    for (const char *at = "abcdef"; *at; at++) {
        usleep(3000);
        CHECK(write(w->fd, at, 1) == 1);
        berth_call_resume(w->call);
    }
    close(w->fd);
    berth_call_resume(w->call);
    return NULL;
}

static void test_client_put__is_resumed_by_another_thread(void **state)
{
    (void)state;
    struct script s = {.answers = {OPENED, CREATED}};
    int ends[2];
    pthread_t thread;
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    struct writer w = {.fd = ends[1]};
    berth_source from = BERTH_SOURCE_FD(ends[0]);
    script_begin(&s, NULL);
    CHECK_OK(berth_blob_put_start(s.client, "a", &from, NULL, &w.call, &test_err));
    CHECK(pthread_create(&thread, NULL, write_slowly, &w) == 0);
    CHECK_OK(berth_call_wait(w.call, &test_err));
    pthread_join(thread, NULL);
    CHECK(strcmp(berth_call_content(w.call)->digest, ABCDEF) == 0);
    berth_call_free(w.call);
    close(ends[0]);
    script_end(&s);
}

RUN_TESTS(TEST(test_client_put__waits_for_a_digest_that_comes_later),
          TEST(test_client_put__digest_comes_later_of_what_can_be_read_twice),
          TEST(test_client_put__pauses_while_its_source_has_nothing),
          TEST(test_client_put__takes_its_session_back_when_it_is_freed),
          TEST(test_client_put__takes_its_session_back_when_all_are_cancelled),
          TEST(test_client_put__leaves_a_session_that_somebody_knows),
          TEST(test_client_put__takes_its_session_back_in_short_time_or_not),
          TEST(test_client_put__is_resumed_by_another_thread), TEST(test_client_put__is_a_post_and_a_put),
          TEST(test_client_put__goes_in_chunks), TEST(test_client_put__goes_on_where_it_broke),
          TEST(test_client_put__goes_on_with_a_session_of_another_process),
          TEST(test_client_put__is_a_single_post_only_where_asked_for),
          TEST(test_client_put__tries_to_mount_first), TEST(test_client_put__mounts_alone),
          TEST(test_client_put__names_the_place_of_a_chunk),
          TEST(test_client_put__sends_no_credentials_to_another_hosts_location),
          TEST(test_client_put__sends_a_body_again),
          TEST(test_client_put__asks_before_it_sends_what_it_can_send_only_once),
          TEST(test_client_put__refuses_a_source_of_another_length),
          TEST(test_client_put__refuses_a_source_that_is_not_empty))
