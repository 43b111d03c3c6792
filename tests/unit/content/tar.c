/* tests/unit/content/tar.c */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "content/tar.h"
#include "util/fault.h"
#include "util/io.h"

static int on_entry(void *arg, const struct tar_entry *e, berth_error *err)
{
    (void)err;
    berth_buf_addf(arg, "%d %s|%s %llu %o %lld\n", e->type, e->path, e->link, (unsigned long long)e->size,
                   e->mode, (long long)e->mtime);
    return BERTH_OK;
}

static int on_data(void *arg, const void *p, size_t n, berth_error *err)
{
    (void)err;
    berth_buf_add(arg, p, n);
    return BERTH_OK;
}

static int on_end(void *arg, berth_error *err)
{
    (void)err;
    berth_buf_putc(arg, ';');
    return BERTH_OK;
}

static const struct tar_events events = {on_entry, on_data, on_end};

/* What was told of @s; or how it failed. */
static int read_all(berth_str s, size_t piece, berth_buf *told)
{
    struct tar_reader *t = NULL;
    int r = tar_reader_new(&events, told, &t, &test_err);
    for (size_t at = 0; r == BERTH_OK && at < s.n; at += piece)
        r = tar_reader_write(t, s.p + at, MIN(piece, s.n - at), &test_err);
    if (r == BERTH_OK)
        r = tar_reader_end(t, &test_err);
    tar_reader_free(t);
    return r;
}

static void add(berth_buf *out, const struct tar_entry *e, const char *bytes)
{
    static const char zeros[TAR_BLOCK];
    tar_print_header(out, e);
    berth_buf_add_str(out, str_from(bytes));
    berth_buf_add(out, zeros, tar_padding(e->size));
}

static void test_content_tar__reads_what_was_written_in_any_pieces(void **state)
{
    (void)state;
    char longest[301];
    memset(longest, 'x', 300);
    longest[300] = '\0';
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), want = BERTH_BUF_INIT(MIB);
    add(&tar, &(struct tar_entry){TAR_FOLDER, "d/", "", 0, 7, 0755}, "");
    add(&tar, &(struct tar_entry){TAR_FILE, "d/f", "", 3, -1, 0644}, "abc");
    add(&tar, &(struct tar_entry){TAR_FILE, longest, "", 0, 9, 0600}, "");
    add(&tar, &(struct tar_entry){TAR_SYMLINK, "l", longest, 0, 9, 0777}, "");
    add(&tar, &(struct tar_entry){TAR_HARDLINK, "h", "d/f", 0, 9, 0644}, "");
    berth_buf_addf(&want,
                   "1 d/| 0 755 7\n;0 d/f| 3 644 0\nabc;0 %s| 0 600 9\n;2 l|%s 0 777 9\n;3 h|d/f 0 644 9\n;",
                   longest, longest);
    static const size_t pieces[] = {1, 100, 512, 513, 1 << 20};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        CLEANUP(berth_buf_done) berth_buf told = BERTH_BUF_INIT(MIB);
        CHECK_OK(read_all(berth_buf_str(&tar), pieces[i], &told));
        CHECK_STR_ROW(i, berth_buf_str(&told), berth_buf_str(&want));
    }
}

static void test_content_tar__stops_at_the_end_of_the_archive(void **state)
{
    (void)state;
    static const char zeros[TAR_END_SIZE];
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), told = BERTH_BUF_INIT(MIB);
    add(&tar, &(struct tar_entry){TAR_FILE, "f", "", 1, 0, 0644}, "a");
    size_t before = tar.n;
    berth_buf_add(&tar, zeros, sizeof(zeros));
    berth_buf_add_str(&tar, STR("what stands behind it is nobody's"));
    CHECK_OK(read_all(berth_buf_str(&tar), 512, &told));
    CHECK_STR(berth_buf_str(&told), STR("0 f| 1 644 0\na;"));
    CHECK_OK(read_all(str_head(berth_buf_str(&tar), before), 512, &told)); /* without its end */
    CHECK_CODE(read_all(str_head(berth_buf_str(&tar), before - TAR_BLOCK), 512, &told), BERTH_E_CORRUPT);
    CHECK_CODE(read_all(str_head(berth_buf_str(&tar), 100), 512, &told), BERTH_E_CORRUPT);
    CHECK_OK(read_all(STR(""), 1, &told));
}

/* What other programs write: GNU's long names, binary numbers, prefixes, an archive before POSIX. */
static void header(char *b, char flag, const char *name, const char *size)
{
    unsigned sum = 0;
    memset(b, 0, TAR_BLOCK);
    snprintf(b, 100, "%s", name);
    memcpy(b + 100, "0000644", 7);
    memcpy(b + 124, size, 12);
    memcpy(b + 136, "00000000001", 11);
    b[156] = flag;
    memcpy(b + 257, "ustar  ", 7);
    memset(b + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)b[i];
    snprintf(b + 148, 8, "%06o", sum);
}

static void test_content_tar__reads_other_dialects(void **state)
{
    (void)state;
    char b[TAR_BLOCK];
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), told = BERTH_BUF_INIT(MIB);
    header(b, 'L', "././@LongLink", "00000000005");
    berth_buf_add(&tar, b, sizeof(b));
    memset(b, 0, sizeof(b));
    memcpy(b, "long", 5);
    berth_buf_add(&tar, b, sizeof(b));
    header(b, '0', "short", "\x80\0\0\0\0\0\0\0\0\0\0\2");
    berth_buf_add(&tar, b, sizeof(b));
    memset(b, 0, sizeof(b));
    memcpy(b, "ab", 2);
    berth_buf_add(&tar, b, sizeof(b));
    header(b, '\0', "folder/", "0          ");
    berth_buf_add(&tar, b, sizeof(b));
    header(b, 'g', "global", "0          "); /* for all that follow: nothing in it matters here */
    berth_buf_add(&tar, b, sizeof(b));
    header(b, '3', "device", "0          ");
    berth_buf_add(&tar, b, sizeof(b));
    CHECK_OK(read_all(berth_buf_str(&tar), 512, &told));
    CHECK_STR(berth_buf_str(&told), STR("0 long| 2 644 1\nab;1 folder/| 0 644 1\n;4 device| 0 644 1\n;"));
}

static void test_content_tar__refuses_what_is_no_archive(void **state)
{
    (void)state;
    char b[2 * TAR_BLOCK];
    CLEANUP(berth_buf_done) berth_buf told = BERTH_BUF_INIT(MIB);
    static const struct {
        char flag;
        const char *size, *body;
    } rows[] = {
        {'0', "99999999999", ""},
        {'0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""},
        {'0', "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""},
        {'L', "77777777777", ""},
        {'x', "00000000005", "junk\n"},
        {'x', "00000000007", "9 path="},
        {'x', "00000000010", "8 size=x"},
        {'x', "00000000013", "11 size=-1\n"},
        {'x', "00000000024", "20 GNU.sparse.map=1\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(b, 0, sizeof(b));
        header(b, rows[i].flag, "f", rows[i].size);
        memcpy(b + TAR_BLOCK, rows[i].body, strlen(rows[i].body));
        int r = read_all((berth_str){b, sizeof(b)}, 512, &told);
        CHECK_ROW(i, r == BERTH_E_CORRUPT || r == BERTH_E_UNSUPPORTED);
    }
    header(b, '0', "f", "0          ");
    b[0] ^= 1;
    CHECK_CODE(read_all((berth_str){b, TAR_BLOCK}, 512, &told), BERTH_E_CORRUPT);
    CHECK(strstr(test_err.message, "checksum"));
}

static void test_content_tar__survives_each_lack_of_memory(void **state)
{
    (void)state;
    char longest[301] = {0};
    memset(longest, 'x', 300);
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
    add(&tar, &(struct tar_entry){TAR_FILE, longest, "", 1, 0, 0644}, "a");
    for (unsigned n = 1;; n++) {
        CLEANUP(berth_buf_done) berth_buf told = BERTH_BUF_INIT(MIB);
        fault_arm(n);
        int r = read_all(berth_buf_str(&tar), 512, &told);
        if (!fault_disarm())
            break;
        CHECK(r == BERTH_OK || r == BERTH_E_NOMEM);
    }
    tar_reader_free(NULL);
}

RUN_TESTS(TEST(test_content_tar__reads_what_was_written_in_any_pieces),
          TEST(test_content_tar__stops_at_the_end_of_the_archive),
          TEST(test_content_tar__reads_other_dialects), TEST(test_content_tar__refuses_what_is_no_archive),
          TEST(test_content_tar__survives_each_lack_of_memory))
