/* tests/unit/content/tar.c */
#include "fixture.h"

#include "util/fault.h"

#define BLOCK 512

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

static void test_content_tar__reads_what_was_written_in_any_pieces(void **state)
{
    (void)state;
    char longest[301];
    memset(longest, 'x', 300);
    longest[300] = '\0';
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), want = BERTH_BUF_INIT(MIB);
    add_entry(&tar, &(struct tar_entry){TAR_FOLDER, "d/", "", 0, 7, 0755}, "");
    add_entry(&tar, &(struct tar_entry){TAR_FILE, "d/f", "", 3, -1, 0644}, "abc");
    add_entry(&tar, &(struct tar_entry){TAR_FILE, longest, "", 0, 9, 0600}, "");
    add_entry(&tar, &(struct tar_entry){TAR_SYMLINK, "l", longest, 0, 9, 0777}, "");
    add_entry(&tar, &(struct tar_entry){TAR_HARDLINK, "h", "d/f", 0, 9, 0644}, "");
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
    static const char zeros[TAR_END];
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), told = BERTH_BUF_INIT(MIB);
    add_entry(&tar, &(struct tar_entry){TAR_FILE, "f", "", 1, 0, 0644}, "a");
    size_t before = tar.n;
    berth_buf_add(&tar, zeros, sizeof(zeros));
    berth_buf_add_str(&tar, STR("what stands behind it is nobody's"));
    CHECK_OK(read_all(berth_buf_str(&tar), 512, &told));
    CHECK_STR(berth_buf_str(&told), STR("0 f| 1 644 0\na;"));
    CHECK_OK(read_all(str_head(berth_buf_str(&tar), before), 512, &told)); /* without its end */
    CHECK_CODE(read_all(str_head(berth_buf_str(&tar), before - BLOCK), 512, &told), BERTH_E_CORRUPT);
    CHECK_CODE(read_all(str_head(berth_buf_str(&tar), 100), 512, &told), BERTH_E_CORRUPT);
    CHECK_OK(read_all(STR(""), 1, &told));
}

static void set_checksum(char *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
}

/* A header as other programs write it; and what belongs to it. */
static void header(berth_buf *out, char flag, const char *name, const char *size, berth_str body)
{
    char b[BLOCK] = {0};
    snprintf(b, 100, "%s", name);
    memcpy(b + 100, "0000644", 7);
    memcpy(b + 124, size, 12);
    memcpy(b + 136, "00000000001", 11);
    b[156] = flag;
    memcpy(b + 257, "ustar  ", 7);
    set_checksum(b);
    berth_buf_add(out, b, BLOCK);
    memset(b, 0, sizeof(b));
    berth_buf_add_str(out, body);
    berth_buf_add(out, b, (BLOCK - body.n % BLOCK) % BLOCK);
}

/* Records of pax before the next header. */
static void pax(berth_buf *out, berth_str records)
{
    char size[13];
    snprintf(size, sizeof(size), "%011zo", records.n);
    header(out, 'x', "pax", size, records);
}

#define NO_SIZE "00000000000"

static void test_content_tar__reads_other_dialects(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), told = BERTH_BUF_INIT(MIB);
    header(&tar, 'L', "././@LongLink", "00000000005", STR("long\0"));
    header(&tar, '0', "short", "\x80\0\0\0\0\0\0\0\0\0\0\2", STR("ab"));
    header(&tar, '\0', "folder/", NO_SIZE, STR(""));
    header(&tar, 'g', "global", NO_SIZE, STR("")); /* for all that follow: nothing in it matters here */
    header(&tar, '3', "device", NO_SIZE, STR(""));
    pax(&tar, STR("12 path=a/b\n14 size=00003\n13 mtime=7.5\n26 SCHILY.xattr.user.a=\0\n\n"));
    header(&tar, '0', "short", "00000000009", STR("abc"));
    pax(&tar, STR("13 path=h\xc3\xa4\xff\n")); /* bytes, whatever the locale */
    header(&tar, '0', "short", NO_SIZE, STR(""));
    CHECK_OK(read_all(berth_buf_str(&tar), 512, &told));
    CHECK_STR(berth_buf_str(&told),
              STR("0 long| 2 644 1\nab;1 folder/| 0 644 1\n;4 device| 0 644 1\n;0 a/b| 3 644 7\nabc;"
                  "0 h\xc3\xa4\xff| 0 644 1\n;"));
}

static void test_content_tar__refuses_what_is_no_archive(void **state)
{
    (void)state;
    static const struct {
        char flag;
        const char *size, *body;
    } rows[] = {
        {'0', "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""},
        {'0', "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""},
        {'0', "77777777777", ""},
        {'L', "77777777777", ""},
        {'x', "77777777777", ""},
        {'x', NULL, "junk\n"},
        {'x', NULL, "9 path="},
        {'x', NULL, "8 size=x"},
        {'x', NULL, "11 size=-1\n"},
        {'x', NULL, "21 SCHILY.realsize=9\n"}, /* another than there is */
        {'x', NULL, "22 SCHILY.realsize=-9\n"},
        {'x', NULL, "21 GNU.sparse.size=5\n26 GNU.sparse.map=0,1,4,1\n"},
        {'x', NULL, "21 GNU.sparse.size=5\n22 GNU.sparse.map=5,0\n"},
    };
    CLEANUP(berth_buf_done) berth_buf told = BERTH_BUF_INIT(MIB);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
        add_entry(&tar, &(struct tar_entry){TAR_FILE, "first", "", 0, 0, 0644}, "");
        if (rows[i].size)
            header(&tar, rows[i].flag, "f", rows[i].size, str_from(rows[i].body));
        else
            pax(&tar, str_from(rows[i].body));
        header(&tar, '0', "f", "00000000003", STR("abc"));
        int r = read_all(berth_buf_str(&tar), 512, &told);
        CHECK_ROW(i, r == BERTH_E_CORRUPT || r == BERTH_E_UNSUPPORTED);
    }
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
    add_entry(&tar, &(struct tar_entry){TAR_FILE, "first", "", 0, 0, 0644}, "");
    header(&tar, '0', "f", NO_SIZE, STR(""));
    tar.p[BLOCK] ^= 1;
    CHECK_CODE(read_all(berth_buf_str(&tar), 512, &told), BERTH_E_CORRUPT);
    CHECK_CODE(read_all(STR("no archive at all"), 512, &told), BERTH_E_CORRUPT);
    berth_buf_reset(&tar);
    header(&tar, '0', "f", "99999999999", STR(""));
    CHECK_CODE(read_all(berth_buf_str(&tar), 512, &told), BERTH_E_CORRUPT);
}

static int refuse(void *arg, const struct tar_entry *e, berth_error *err)
{
    (void)arg, (void)e;
    return berth_error_set(err, BERTH_E_TOO_BIG, "enough");
}

static void test_content_tar__ends_with_what_an_event_answers(void **state)
{
    (void)state;
    static const struct tar_events refusing = {refuse, on_data, on_end};
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), told = BERTH_BUF_INIT(MIB);
    struct tar_reader *t = NULL;
    add_entry(&tar, &(struct tar_entry){TAR_FILE, "f", "", 3, 0, 0644}, "abc");
    CHECK_OK(tar_reader_new(&refusing, &told, &t, &test_err));
    CHECK_OK(tar_reader_write(t, tar.p, tar.n, &test_err));
    for (int i = 0; i < 2; i++) {
        test_err.message[0] = '\0';
        CHECK_CODE(tar_reader_end(t, &test_err), BERTH_E_TOO_BIG);
        CHECK(strcmp(test_err.message, "enough") == 0);
    }
    CHECK_CODE(tar_reader_write(t, tar.p, tar.n, &test_err), BERTH_E_TOO_BIG);
    CHECK(told.n == 0);
    tar_reader_free(t);
}

/* Freed where libarchive waits to see what follows before it tells of a hard link, it tells of nothing more.
 */
static void test_content_tar__may_be_left_at_any_time(void **state)
{
    (void)state;
    static char bytes[255 * KIB + 1];
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB), told = BERTH_BUF_INIT(MIB);
    memset(bytes, 'b', sizeof(bytes) - 1);
    add_entry(&tar, &(struct tar_entry){TAR_FILE, "f", "", sizeof(bytes) - 1, 0, 0644}, bytes);
    header(&tar, '1', "h", "00000000003", STR("")); /* which has a body, or has none */
    memcpy(tar.p + tar.n - BLOCK + 257, "ustar\0", 6);
    set_checksum(tar.p + tar.n - BLOCK);
    CHECK(tar.n == 256 * KIB); /* is handed on at once */
    for (size_t n = 0; n <= tar.n; n += tar.n / 8) {
        struct tar_reader *t = NULL;
        CHECK_OK(tar_reader_new(&events, &told, &t, &test_err));
        CHECK_OK(tar_reader_write(t, tar.p, n, &test_err));
        size_t before = told.n;
        tar_reader_free(t);
        CHECK(told.n == before && (n < tar.n || before > sizeof(bytes)));
    }
}

static void test_content_tar__survives_each_lack_of_memory(void **state)
{
    (void)state;
    char longest[301] = {0};
    memset(longest, 'x', 300);
    CLEANUP(berth_buf_done) berth_buf tar = BERTH_BUF_INIT(MIB);
    add_entry(&tar, &(struct tar_entry){TAR_FILE, longest, "", 1, 0, 0644}, "a");
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
          TEST(test_content_tar__ends_with_what_an_event_answers),
          TEST(test_content_tar__may_be_left_at_any_time),
          TEST(test_content_tar__survives_each_lack_of_memory))
