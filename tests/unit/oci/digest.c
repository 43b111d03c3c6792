/* tests/unit/oci/digest.c */
#include "test.h"

#include "oci/digest.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32

static void test_oci_digest__accepts_sha256_and_sha512_alone(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
    } rows[] = {
        {"sha256:" HEX64, true},
        {"sha512:" HEX64 HEX64, true},
        {"sha256:" HEX64 "0", false},
        {"sha256:" HEX32, false},
        {"sha256:" HEX64 HEX64, false},
        {"sha512:" HEX64, false},
        {"sha256:" HEX32 "0123456789ABCDEF0123456789abcdef", false},
        {"sha256:" HEX32 "0123456789abcdef0123456789abcdeg", false},
        {"sha256:", false},
        {"sha256", false},
        {":" HEX64, false},
        {"", false},
        {"SHA256:" HEX64, false},
        {"sha256::" HEX64, false},
        {" sha256:" HEX64, false},
        {"sha384:" HEX64 HEX32, false},
        {"blake3:" HEX64, false},
        {"sha256:../../../../etc/passwd", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_digest d = {.text = "untouched"};
        memset(&test_err, 0, sizeof(test_err));
        int r = digest_parse(str_from(rows[i].in), &d, &test_err);
        CHECK_ROW(i, r == (rows[i].good ? BERTH_OK : BERTH_E_INVALID));
        CHECK_STR_ROW(i, digest_str(&d), str_from(rows[i].good ? rows[i].in : "untouched"));
        CHECK_STR_ROW(i, str_from(test_err.oci_code), str_from(rows[i].good ? "" : "DIGEST_INVALID"));
    }
}

static void test_oci_digest__does_not_read_past_a_view(void **state)
{
    (void)state;
    berth_digest d;
    const char text[] = "sha256:" HEX64 "ff";
    CHECK_OK(digest_parse((berth_str){text, 71}, &d, &test_err));
    CHECK_STR(digest_str(&d), STR("sha256:" HEX64));
    const char nul[] = "sha256:" HEX32 "0123456789abcdef\0"
                       "123456789abcdef";
    CHECK_CODE(digest_parse((berth_str){nul, 71}, &d, &test_err), BERTH_E_INVALID);
}

static void test_oci_digest__knows_the_grammar_of_other_algorithms(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
    } rows[] = {
        {"multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", true},
        {"sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", true},
        {"a:b", true},
        {"a.b-c_d+e:A=", true},
        {"a+:b", false},
        {"+a:b", false},
        {"a++b:c", false},
        {"A:b", false},
        {"a:", false},
        {":b", false},
        {"a:b:c", false},
        {"a:b/c", false},
        {"a:b c", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, digest_well_formed(str_from(rows[i].in)) == rows[i].good);
}

static void test_oci_digest__hashes_bytes(void **state)
{
    (void)state;
    berth_digest a, b;
    digest_of(HASH_SHA256, "abc", 3, &a);
    CHECK_STR(digest_str(&a), STR("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK_OK(digest_parse(digest_str(&a), &b, &test_err));
    CHECK(digest_eq(&a, &b));
    digest_of(HASH_SHA512, "abc", 3, &b);
    CHECK(b.algorithm == HASH_SHA512 && strlen(b.text) == DIGEST_TEXT_MAX - 1);
    CHECK(!digest_eq(&a, &b));
    berth_hash h;
    hash_init(&h, HASH_SHA256);
    hash_update(&h, "ab", 2);
    hash_update(&h, "c", 1);
    digest_from_hash(&h, &b);
    CHECK(digest_eq(&a, &b));
}

static void test_oci_digest__is_read_by_callers_of_the_library(void **state)
{
    (void)state;
    berth_digest a, b, c;
    digest_of(HASH_SHA256, "abc", 3, &a);
    CHECK_OK(berth_digest_parse(a.text, &b, &test_err));
    CHECK(b.algorithm == BERTH_DIGEST_SHA256 && berth_digest_equal(&a, &b));
    assert_string_equal(berth_digest_algorithm_name(&b), "sha256");
    assert_string_equal(berth_digest_hex(&b), a.text + 7);
    digest_of(HASH_SHA512, "abc", 3, &c);
    CHECK(c.algorithm == BERTH_DIGEST_SHA512 && !berth_digest_equal(&a, &c));
    assert_string_equal(berth_digest_algorithm_name(&c), "sha512");
    assert_int_equal(strlen(berth_digest_hex(&c)), 128);
    CHECK_CODE(berth_digest_parse("sha256:x", &b, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.oci_code, "DIGEST_INVALID");
    CHECK_CODE(berth_digest_parse(NULL, &b, NULL), BERTH_E_INVALID);
    CHECK(berth_digest_equal(&a, &b)); /* untouched */
}

RUN_TESTS(TEST(test_oci_digest__is_read_by_callers_of_the_library),
          TEST(test_oci_digest__accepts_sha256_and_sha512_alone),
          TEST(test_oci_digest__does_not_read_past_a_view),
          TEST(test_oci_digest__knows_the_grammar_of_other_algorithms), TEST(test_oci_digest__hashes_bytes))
