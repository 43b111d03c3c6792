/* tests/unit/oci/reference.c */
#include "test.h"

#include <regex.h>

#include "oci/reference.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_oci_reference__keeps_to_the_grammar_of_names(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
    } rows[] = {
        {"a", true},     {"0", true},      {"team/app", true}, {"a/b/c/d", true},   {"a.b", true},
        {"a_b", true},   {"a__b", true},   {"a-b", true},      {"a---b", true},     {"a-b.c_d__e/f", true},
        {"", false},     {"/", false},     {"a/", false},      {"/a", false},       {"a//b", false},
        {"A", false},    {"a_", false},    {"_a", false},      {"a___b", false},    {"a..b", false},
        {"a.-b", false}, {"a-_b", false},  {"a_.b", false},    {"a-", false},       {"-a", false},
        {".", false},    {"..", false},    {"a/../b", false},  {"a/./b", false},    {"a b", false},
        {"a\n", false},  {"a:b", false},   {"a@b", false},     {"\xc3\xa4", false}, {"a/-b", false},
        {"a-/b", false}, {"a%2fb", false}, {"a\\b", false},    {"a/_b", false},     {"a__/b", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, oci_name_valid(str_from(rows[i].in)) == rows[i].good);
    CHECK(!oci_name_valid((berth_str){"a\0b", 3}));
    CHECK(!oci_name_valid(STR_NULL));
}

/* Every text of up to seven bytes from the bytes that matter, against the specification's own expression. */
static void test_oci_reference__agrees_with_the_published_expression(void **state)
{
    (void)state;
    static const char expression[] =
        "^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$";
    static const char alphabet[] = "a._-/";
    regex_t re;
    CHECK(regcomp(&re, expression, REG_EXTENDED | REG_NOSUB) == 0);
    size_t good = 0;
    for (size_t n = 1, total = 5; n <= 7; n++, total *= 5)
        for (size_t v = 0; v < total; v++) {
            char text[8] = "";
            size_t rest = v;
            for (size_t i = 0; i < n; i++, rest /= 5)
                text[i] = alphabet[rest % 5];
            bool want = regexec(&re, text, 0, NULL, 0) == 0;
            if (oci_name_valid(str_from(text)) != want)
                fail_msg("'%s' should be %s", text, want ? "valid" : "invalid");
            good += want;
        }
    regfree(&re);
    CHECK(good > 100);
}

static void test_oci_reference__bounds_names_and_tags(void **state)
{
    (void)state;
    char text[OCI_NAME_MAX + 1];
    memset(text, 'a', sizeof(text));
    CHECK(oci_name_valid((berth_str){text, OCI_NAME_MAX}));
    CHECK(!oci_name_valid((berth_str){text, OCI_NAME_MAX + 1}));
    CHECK(oci_tag_valid((berth_str){text, OCI_TAG_MAX}));
    CHECK(!oci_tag_valid((berth_str){text, OCI_TAG_MAX + 1}));
}

static void test_oci_reference__keeps_to_the_grammar_of_tags(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
    } rows[] = {
        {"latest", true}, {"v1.0", true}, {"_x", true},        {"A-b_c.D", true}, {"1", true},
        {"", false},      {".a", false},  {"-a", false},       {"a/b", false},    {"a b", false},
        {"a:b", false},   {"a+b", false}, {"\xc3\xa4", false}, {"a\n", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, oci_tag_valid(str_from(rows[i].in)) == rows[i].good);
    CHECK(!oci_tag_valid((berth_str){"a\0b", 3}));
}

static void test_oci_reference__tells_a_digest_from_a_tag(void **state)
{
    (void)state;
    oci_reference ref;
    CHECK_OK(oci_reference_parse(STR("v1"), &ref, &test_err));
    CHECK(!ref.is_digest);
    CHECK_STR(ref.tag, STR("v1"));
    CHECK_OK(oci_reference_parse(STR("sha256:" HEX64), &ref, &test_err));
    CHECK(ref.is_digest);
    CHECK_STR(digest_str(&ref.digest), STR("sha256:" HEX64));

    CHECK_CODE(oci_reference_parse(STR("-v1"), &ref, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.oci_code, "MANIFEST_INVALID");
    CHECK_CODE(oci_reference_parse(STR(""), &ref, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.oci_code, "MANIFEST_INVALID");
    CHECK_CODE(oci_reference_parse(STR("sha256:1"), &ref, &test_err), BERTH_E_INVALID);
    assert_string_equal(test_err.oci_code, "DIGEST_INVALID");
    CHECK_CODE(oci_reference_parse(STR("sha1:abc"), &ref, NULL), BERTH_E_INVALID);
}

static void test_oci_reference__makes_the_tag_that_older_clients_use(void **state)
{
    (void)state;
    char tag[OCI_TAG_MAX + 1];
    berth_digest d;
    CHECK_OK(digest_parse(STR("sha256:" HEX64), &d, &test_err));
    oci_referrers_tag(&d, tag);
    assert_string_equal(tag, "sha256-" HEX64);
    CHECK_OK(digest_parse(STR("sha512:" HEX64 HEX64), &d, &test_err));
    oci_referrers_tag(&d, tag);
    assert_string_equal(tag, "sha512-" HEX64);
    CHECK(oci_tag_valid(str_from(tag)));
}

RUN_TESTS(TEST(test_oci_reference__keeps_to_the_grammar_of_names),
          TEST(test_oci_reference__agrees_with_the_published_expression),
          TEST(test_oci_reference__bounds_names_and_tags),
          TEST(test_oci_reference__keeps_to_the_grammar_of_tags),
          TEST(test_oci_reference__tells_a_digest_from_a_tag),
          TEST(test_oci_reference__makes_the_tag_that_older_clients_use))
