/* tests/unit/client/source.c */
#include "fixture.h"

#include <fcntl.h>

struct feed {
    const char *text;
    size_t at, most; /* bytes at a time */
    int seeks;
    bool fails;
};

static int feed_read(void *arg, void *p, size_t n, size_t *ret_n)
{
    struct feed *f = arg;
    n = MIN(MIN(n, f->most), strlen(f->text) - f->at);
    memcpy(p, f->text + f->at, n);
    f->at += n;
    *ret_n = n;
    return f->fails;
}

static int feed_seek(void *arg, uint64_t offset)
{
    struct feed *f = arg;
    f->at = (size_t)offset;
    f->seeks++;
    return 0;
}

static void read_all(struct source *s, char *out)
{
    size_t n = 1, at = 0;
    while (n) {
        CHECK_OK(source_read(s, out + at, 2, &n, &test_err));
        at += n;
    }
    out[at] = '\0';
}

static int file_with(const char *text)
{
    FILE *f = tmpfile();
    CHECK(f && fputs(text, f) >= 0 && fflush(f) == 0);
    int fd = dup(fileno(f));
    fclose(f);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void check(const berth_source *of, const char *text, int64_t length, bool again)
{
    char out[64];
    struct source s;
    berth_digest want, have;
    digest_of(HASH_SHA256, text, strlen(text), &want);
    CHECK_OK(source_open(&s, of, &test_err));
    CHECK(s.length == length && s.rewindable == again);
    source_hash(&s, HASH_SHA256);
    read_all(&s, out);
    assert_string_equal(out, text);
    CHECK(source_digest(&s, &have) && digest_eq(&have, &want));
    CHECK(source_seek(&s, strlen(text))); /* where it stands */
    CHECK(source_seek(&s, 1) == again);
    if (!again)
        return;
    read_all(&s, out);
    assert_string_equal(out, text + 1);
    CHECK(source_digest(&s, &have) && digest_eq(&have, &want)); /* a byte is hashed once */
    CHECK(length < 0 || !source_seek(&s, strlen(text) + 1));
}

static void test_client_source__is_memory_a_file_a_pipe_or_a_function(void **state)
{
    (void)state;
    berth_source bytes = BERTH_SOURCE_BYTES("hello", 5);
    check(&bytes, "hello", 5, true);
    int fd = file_with("xxhello");
    CHECK(lseek(fd, 2, SEEK_SET) == 2); /* from where it stands */
    berth_source file = BERTH_SOURCE_FD(fd);
    check(&file, "hello", 5, true);
    CHECK(lseek(fd, 0, SEEK_CUR) == 2); /* and nobody's place is moved */
    close(fd);
    int pipes[2];
    CHECK(pipe(pipes) == 0 && write(pipes[1], "hello", 5) == 5);
    close(pipes[1]);
    berth_source pipe_end = BERTH_SOURCE_FD(pipes[0]);
    check(&pipe_end, "hello", -1, false);
    close(pipes[0]);
    struct feed f = {.text = "hello", .most = 2};
    berth_source once = BERTH_SOURCE_FN(feed_read, NULL, &f, 5);
    check(&once, "hello", 5, false);
    f.at = 0;
    berth_source again = BERTH_SOURCE_FN(feed_read, feed_seek, &f, BERTH_LENGTH_UNKNOWN);
    check(&again, "hello", -1, true);
    CHECK(f.seeks == 1);
}

static void test_client_source__has_no_digest_of_what_it_passed_over(void **state)
{
    (void)state;
    char out[8];
    struct source s;
    berth_digest have;
    berth_source bytes = BERTH_SOURCE_BYTES("hello", 5);
    CHECK_OK(source_open(&s, &bytes, &test_err));
    CHECK(!source_digest(&s, &have)); /* nobody asked for it */
    source_hash(&s, HASH_SHA256);
    CHECK(source_seek(&s, 3));
    read_all(&s, out);
    assert_string_equal(out, "lo");
    CHECK(!source_digest(&s, &have));
}

/* As much as it said, whatever it gives; its last byte when that is clear. */
static void test_client_source__is_held_to_its_length(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t length;
        size_t most;
        bool pipe;
        int code;
        uint64_t read;
    } rows[] = {
        {"hello", 5, 2, false, BERTH_OK, 5},         {"hello", 5, 64, false, BERTH_OK, 5},
        {"hello", 6, 2, false, BERTH_E_INVALID, 5},  {"hello", 4, 2, false, BERTH_E_INVALID, 2},
        {"hello", 4, 64, false, BERTH_E_INVALID, 0}, {"hello", 4, 4, false, BERTH_E_INVALID, 0},
        {"hello", 0, 2, false, BERTH_E_INVALID, 0},  {"", 0, 2, false, BERTH_OK, 0},
        {"hello", 5, 64, true, BERTH_OK, 5},         {"hello", 4, 64, true, BERTH_E_INVALID, 0},
        {"hello", 6, 64, true, BERTH_E_INVALID, 5},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct feed f = {.text = rows[i].text, .most = rows[i].most};
        struct source s;
        char out[64];
        int pipes[2], r = BERTH_OK;
        size_t n = 1;
        CHECK(pipe(pipes) == 0 && write(pipes[1], rows[i].text, strlen(rows[i].text)) >= 0);
        close(pipes[1]);
        berth_source fn = BERTH_SOURCE_FN(feed_read, NULL, &f, (uint64_t)rows[i].length);
        berth_source fd = BERTH_SOURCE_FD(pipes[0]);
        fd.length = (uint64_t)rows[i].length;
        CHECK_OK(source_open(&s, rows[i].pipe ? &fd : &fn, &test_err));
        while (r == BERTH_OK && n)
            r = source_read(&s, out, sizeof(out), &n, &test_err);
        CHECK_ROW(i, r == rows[i].code && s.at == rows[i].read);
        close(pipes[0]);
    }
}

/* Of a regular file a part may be meant. */
static void test_client_source__is_a_part_of_a_file(void **state)
{
    (void)state;
    char out[64];
    struct source s;
    int fd = file_with("hello");
    berth_source part = BERTH_SOURCE_FD(fd);
    part.length = 3;
    CHECK_OK(source_open(&s, &part, &test_err));
    read_all(&s, out);
    assert_string_equal(out, "hel");
    part.length = 6;
    size_t n = 1;
    int r = BERTH_OK;
    CHECK_OK(source_open(&s, &part, &test_err));
    while (r == BERTH_OK && n)
        r = source_read(&s, out, sizeof(out), &n, &test_err);
    CHECK(r == BERTH_E_INVALID);
    close(fd);
}

static void test_client_source__says_what_is_wrong_with_it(void **state)
{
    (void)state;
    struct source s;
    char out[8];
    size_t n;
    berth_source nothing = BERTH_SOURCE_BYTES(NULL, 5), closed = BERTH_SOURCE_FD(999),
                 endless = BERTH_SOURCE_BYTES("x", BERTH_LENGTH_UNKNOWN), empty = BERTH_SOURCE_BYTES(NULL, 0);
    CHECK_CODE(source_open(&s, NULL, &test_err), BERTH_E_INVALID);
    CHECK_CODE(source_open(&s, &nothing, &test_err), BERTH_E_INVALID);
    CHECK_CODE(source_open(&s, &closed, &test_err), BERTH_E_INVALID);
    CHECK_CODE(source_open(&s, &endless, &test_err), BERTH_E_INVALID);
    CHECK_OK(source_open(&s, &empty, &test_err));
    CHECK_OK(source_read(&s, out, sizeof(out), &n, &test_err));
    CHECK(n == 0);
    struct feed f = {.text = "hello", .most = 2, .fails = true};
    berth_source failing = BERTH_SOURCE_FN(feed_read, feed_seek, &f, 5);
    CHECK_OK(source_open(&s, &failing, &test_err));
    CHECK_CODE(source_read(&s, out, sizeof(out), &n, &test_err), BERTH_E_CANCELLED);
    int fd = file_with("");
    close(fd);
    fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    berth_source folder = BERTH_SOURCE_FD(fd);
    CHECK_CODE(source_open(&s, &folder, &test_err), BERTH_E_INVALID);
    close(fd);
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    berth_source unreadable = BERTH_SOURCE_FD(fd);
    CHECK_OK(source_open(&s, &unreadable, &test_err));
    CHECK_CODE(source_read(&s, out, sizeof(out), &n, &test_err), BERTH_E_IO);
    close(fd);
}

RUN_TESTS(TEST(test_client_source__is_memory_a_file_a_pipe_or_a_function),
          TEST(test_client_source__has_no_digest_of_what_it_passed_over),
          TEST(test_client_source__is_held_to_its_length), TEST(test_client_source__is_a_part_of_a_file),
          TEST(test_client_source__says_what_is_wrong_with_it))
