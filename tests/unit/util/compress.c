/* tests/unit/util/compress.c */
#include "test.h"

#include <zstd.h>

#include "util/compress.h"
#include "util/fault.h"

static int keep(void *arg, const void *p, size_t n, berth_error *err)
{
    (void)err;
    berth_buf_add(arg, p, n);
    return BERTH_OK;
}

static int refuse(void *arg, const void *p, size_t n, berth_error *err)
{
    (void)arg, (void)p, (void)n;
    return berth_error_set(err, BERTH_E_TOO_BIG, "enough");
}

static int unpack(berth_str s, size_t piece, berth_buf *out)
{
    struct inflater *i = NULL;
    int r = inflater_new(keep, out, &i, &test_err);
    for (size_t at = 0; r == BERTH_OK && at < s.n; at += piece)
        r = inflater_write(i, s.p + at, MIN(piece, s.n - at), &test_err);
    if (r == BERTH_OK)
        r = inflater_end(i, &test_err);
    inflater_free(i);
    return r;
}

static void pack(berth_str s, berth_buf *out)
{
    struct gzipper *g = NULL;
    CHECK_OK(gzipper_new(keep, out, &g, &test_err));
    for (size_t at = 0; at < s.n; at += 7777)
        CHECK_OK(gzipper_write(g, s.p + at, MIN((size_t)7777, s.n - at), &test_err));
    CHECK_OK(gzipper_end(g, &test_err));
    gzipper_free(g);
}

static void fill(berth_buf *out)
{
    for (unsigned i = 0; i < 60000; i++)
        berth_buf_addf(out, "%u ", i * 2654435761u);
}

static void test_util_compress__unpacks_each_format_in_any_pieces(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done)
    berth_buf plain = BERTH_BUF_INIT(8 * MIB), gzip = BERTH_BUF_INIT(8 * MIB),
              again = BERTH_BUF_INIT(8 * MIB), zstd = BERTH_BUF_INIT(8 * MIB);
    fill(&plain);
    pack(berth_buf_str(&plain), &gzip);
    pack(berth_buf_str(&plain), &again);
    CHECK(str_eq(berth_buf_str(&gzip), berth_buf_str(&again)) && gzip.n < plain.n); /* no time in it */
    size_t room = ZSTD_compressBound(plain.n);
    char *to = berth_buf_reserve(&zstd, room);
    berth_buf_grow(&zstd, ZSTD_compress(to, room, plain.p, plain.n, 3));
    const berth_str inputs[] = {berth_buf_str(&plain), berth_buf_str(&gzip), berth_buf_str(&zstd)};
    static const size_t pieces[] = {1, 3, 4096, 1 << 30};
    for (size_t i = 0; i < COUNT(inputs) * COUNT(pieces); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(8 * MIB);
        CHECK_OK(unpack(inputs[i % COUNT(inputs)], pieces[i / COUNT(inputs)], &out));
        CHECK_ROW(i, str_eq(berth_buf_str(&out), berth_buf_str(&plain)));
    }
}

static void test_util_compress__members_follow_each_other(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf gzip = BERTH_BUF_INIT(MIB), out = BERTH_BUF_INIT(MIB);
    pack(STR("one "), &gzip);
    pack(STR("two"), &gzip);
    CHECK_OK(unpack(berth_buf_str(&gzip), 5, &out));
    CHECK_STR(berth_buf_str(&out), STR("one two"));
}

static void test_util_compress__short_input_is_plain(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "a", "abc", "abcde"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
        CHECK_OK(unpack(str_from(rows[i]), 1, &out));
        CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i]));
    }
}

static void test_util_compress__damage_and_early_ends_are_told(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf gzip = BERTH_BUF_INIT(MIB), out = BERTH_BUF_INIT(MIB);
    static const char zstd[] = "\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff";
    pack(STR("some text that is long enough to be cut"), &gzip);
    CHECK_CODE(unpack(str_head(berth_buf_str(&gzip), gzip.n - 1), 4096, &out), BERTH_E_CORRUPT);
    CHECK(strstr(test_err.message, "early"));
    gzip.p[gzip.n - 6] ^= 1; /* of its checksum */
    CHECK_CODE(unpack(berth_buf_str(&gzip), 4096, &out), BERTH_E_CORRUPT);
    CHECK_CODE(unpack((berth_str){zstd, sizeof(zstd) - 1}, 4096, &out), BERTH_E_CORRUPT);
    CHECK_CODE(unpack((berth_str){zstd, 5}, 4096, &out), BERTH_E_CORRUPT);
}

static void test_util_compress__ends_when_the_sink_has_enough(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf gzip = BERTH_BUF_INIT(MIB);
    struct inflater *i = NULL;
    pack(STR("text"), &gzip);
    CHECK_OK(inflater_new(refuse, NULL, &i, &test_err));
    CHECK_CODE(inflater_write(i, gzip.p, gzip.n, &test_err), BERTH_E_TOO_BIG);
    inflater_free(i);
    inflater_free(NULL);
    gzipper_free(NULL);
}

static void test_util_compress__survives_each_lack_of_memory(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf gzip = BERTH_BUF_INIT(MIB);
    pack(STR("text"), &gzip);
    for (unsigned n = 1;; n++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
        fault_arm(n);
        int r = unpack(berth_buf_str(&gzip), 4096, &out);
        if (!fault_disarm())
            break;
        CHECK(r == BERTH_OK || r == BERTH_E_NOMEM);
    }
}

RUN_TESTS(TEST(test_util_compress__unpacks_each_format_in_any_pieces),
          TEST(test_util_compress__members_follow_each_other), TEST(test_util_compress__short_input_is_plain),
          TEST(test_util_compress__damage_and_early_ends_are_told),
          TEST(test_util_compress__ends_when_the_sink_has_enough),
          TEST(test_util_compress__survives_each_lack_of_memory))
