/* tests/unit/oci/document.c */
#include "test.h"

#include <jansson.h>

#include "oci/document.h"
#include "oci/mediatype.h"

static void test_oci_document__escapes_strings(void **state)
{
    (void)state;
    static const struct {
        berth_str in;
        const char *out;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{NULL, 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"a\"b\\c", 5}, "\"a\\\"b\\\\c\""},
        {{"\n\r\t\x01\x1f\0", 6}, "\"\\n\\r\\t\\u0001\\u001f\\u0000\""},
        {{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {{"a\xff"
          "b",
          3},
         "\"a\xef\xbf\xbd"
         "b\""},
        {{"\xc0\xaf", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
        {{"\xf4\x90\x80\x80", 4}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"x\xe2\x82", 3}, "\"x\xef\xbf\xbd\xef\xbf\xbd\""}, /* cut short */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        oci_print_string(&b, rows[i].in);
        CHECK_STR_ROW(i, berth_buf_str(&b), str_from(rows[i].out));
    }
}

/* Two random bytes in front of a fixed tail: whatever stands there, the text is JSON that jansson accepts. */
static void test_oci_document__prints_json_whatever_the_bytes(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 65536; v++) {
        char in[4] = {(char)(v >> 8), (char)v, (char)0x80, 'z'};
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        oci_print_string(&b, (berth_str){in, 4});
        json_t *j = json_loadb(b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!json_is_string(j))
            fail_msg("%04x is not printed as a string", v);
        json_decref(j);
    }
}

/* Plain bytes are looked at eight at a time: each byte is found wherever it stands among them. */
static void test_oci_document__escapes_a_byte_at_any_place(void **state)
{
    (void)state;
    for (size_t at = 0; at < 20; at++)
        for (unsigned byte = 0; byte < 256; byte++) {
            char in[20];
            memset(in, 'a' + (int)(byte % 26), sizeof(in));
            in[at] = (char)byte;
            CLEANUP(berth_buf_done)
            berth_buf b = BERTH_BUF_INIT(KIB), alone = BERTH_BUF_INIT(KIB), want = BERTH_BUF_INIT(KIB);
            oci_print_string(&b, (berth_str){in, sizeof(in)});
            oci_print_string(&alone, (berth_str){in + at, 1});
            berth_buf_addf(&want, "\"%.*s", (int)at, in);
            berth_buf_add(&want, alone.p + 1, alone.n - 2);
            berth_buf_addf(&want, "%.*s\"", (int)(sizeof(in) - at - 1), in + at + 1);
            CHECK_STR_ROW(byte, berth_buf_str(&b), berth_buf_str(&want));
        }
}

static void test_oci_document__lists_tags_and_repositories(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
    const berth_str list[] = {STR("latest"), STR("v1")};
    oci_print_tags(&b, STR("team/app"), list, 2);
    CHECK_STR(berth_buf_str(&b), STR("{\"name\":\"team/app\",\"tags\":[\"latest\",\"v1\"]}"));
    berth_buf_reset(&b);
    oci_print_tags(&b, STR("a"), NULL, 0);
    CHECK_STR(berth_buf_str(&b), STR("{\"name\":\"a\",\"tags\":[]}"));
    berth_buf_reset(&b);
    oci_print_catalog(&b, list, 2);
    CHECK_STR(berth_buf_str(&b), STR("{\"repositories\":[\"latest\",\"v1\"]}"));
    berth_buf_reset(&b);
    oci_print_catalog(&b, NULL, 0);
    CHECK_STR(berth_buf_str(&b), STR("{\"repositories\":[]}"));
}

static void test_oci_document__lists_errors_with_and_without_detail(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf detail = BERTH_BUF_INIT(KIB), b = BERTH_BUF_INIT(KIB);
    const berth_str pairs[] = {STR("digest"), STR("sha256:\"1\""), STR("name"), STR("a")};
    oci_print_object(&detail, pairs, 2);
    CHECK_STR(berth_buf_str(&detail), STR("{\"digest\":\"sha256:\\\"1\\\"\",\"name\":\"a\"}"));
    const oci_error_entry entries[] = {
        {"BLOB_UNKNOWN", STR("no such blob"), berth_buf_str(&detail)},
        {"DENIED", STR("not \"you\""), STR("")},
    };
    oci_print_errors(&b, entries, 2);
    CHECK_STR(berth_buf_str(&b),
              STR("{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"no such blob\",\"detail\":"
                  "{\"digest\":\"sha256:\\\"1\\\"\",\"name\":\"a\"}},"
                  "{\"code\":\"DENIED\",\"message\":\"not \\\"you\\\"\"}]}"));
    berth_buf_reset(&b);
    oci_print_object(&b, NULL, 0);
    CHECK_STR(berth_buf_str(&b), STR("{}"));
}

static void test_oci_document__lists_referrers_as_an_index(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
    const oci_referrer list[] = {
        {STR(MT_OCI_MANIFEST), STR("sha256:1"), STR("a/b"), 18446744073709551615u, STR("{\"k\":\"v\"}")},
        {STR(MT_OCI_INDEX), STR("sha256:2"), STR(""), 0, STR("")},
    };
    oci_print_referrers(&b, list, 2);
    CHECK_STR(berth_buf_str(&b),
              STR("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":["
                  "{\"mediaType\":\"" MT_OCI_MANIFEST
                  "\",\"digest\":\"sha256:1\",\"size\":18446744073709551615,"
                  "\"artifactType\":\"a/b\",\"annotations\":{\"k\":\"v\"}},"
                  "{\"mediaType\":\"" MT_OCI_INDEX "\",\"digest\":\"sha256:2\",\"size\":0}]}"));
    berth_buf_reset(&b);
    oci_print_referrers(&b, NULL, 0);
    CHECK_STR(berth_buf_str(&b),
              STR("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[]}"));
}

static void test_oci_document__leaves_failure_in_the_buffer(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(20);
    const berth_str list[] = {STR("latest"), STR("v1")};
    oci_print_catalog(&b, list, 2);
    CHECK(berth_buf_failed(&b));
}

RUN_TESTS(TEST(test_oci_document__escapes_strings), TEST(test_oci_document__prints_json_whatever_the_bytes),
          TEST(test_oci_document__escapes_a_byte_at_any_place),
          TEST(test_oci_document__lists_tags_and_repositories),
          TEST(test_oci_document__lists_errors_with_and_without_detail),
          TEST(test_oci_document__lists_referrers_as_an_index),
          TEST(test_oci_document__leaves_failure_in_the_buffer))
