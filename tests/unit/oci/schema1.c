/* tests/unit/oci/schema1.c */
#include "test.h"

#include "oci/schema1.h"
#include "util/base64.h"

#define PAYLOAD                                                                                              \
    "{\n   \"schemaVersion\": 1,\n   \"name\": \"a/b\",\n   \"tag\": \"v1\",\n   \"fsLayers\": []\n}"
#define HEAD     "{\n   \"schemaVersion\": 1,\n   \"name\": \"a/b\",\n   \"tag\": \"v1\",\n   \"fsLayers\": []"
#define LENGTH   ((int)sizeof(HEAD) - 1)
#define TAIL     "Cn0" /* "\n}" */
#define REST(p)  ",\n   \"signatures\": [{\"header\": {}, \"signature\": \"x\", \"protected\": \"" p "\"}]\n}"
#define STANDARD REST("%s")

/* @head and @rest, which has the base64 of a header with @length and @tail. */
static void make(berth_buf *out, const char *head, const char *rest, int length, const char *tail)
{
    CLEANUP(berth_buf_done) berth_buf json = BERTH_BUF_INIT(KIB), protected = BERTH_BUF_INIT(KIB);
    berth_buf_addf(&json, "{\"formatLength\":%d,\"formatTail\":\"%s\",\"time\":\"now\"}", length, tail);
    base64_encode(&protected, json.p, json.n);
    const char *at = strstr(rest, "%s");
    berth_buf_addf(out, "%s", head);
    if (at)
        berth_buf_addf(out, "%.*s%s%s", (int)(at - rest), rest, berth_buf_cstr(&protected), at + 2);
    else
        berth_buf_addf(out, "%s", rest);
}

static void test_oci_schema1__finds_what_is_signed(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(4 * KIB), payload = BERTH_BUF_INIT(4 * KIB);
    make(&bytes, HEAD, STANDARD, LENGTH, TAIL);
    CHECK_OK(oci_schema1_payload(berth_buf_str(&bytes), &payload, &test_err));
    CHECK_STR(berth_buf_str(&payload), STR(PAYLOAD));
}

static void test_oci_schema1__refuses_what_is_not_signed_as_a_whole(void **state)
{
    (void)state;
    static const struct {
        const char *head, *rest;
        int length;
        const char *tail;
    } rows[] = {
        {HEAD, STANDARD, LENGTH - 1, TAIL},
        {HEAD, STANDARD, LENGTH + 1, TAIL},
        {HEAD, STANDARD, 0, TAIL},
        {HEAD, STANDARD, -1, TAIL},
        {HEAD, STANDARD, 100000, TAIL},
        {HEAD, STANDARD, LENGTH, ""},
        {HEAD, STANDARD, LENGTH, "!"},
        {HEAD, STANDARD, LENGTH, "fX0"},                       /* "}}" */
        {"{\"schemaVersion\":1,\"a\":1", STANDARD, 24, "NX0"}, /* 5}: another number */
        {HEAD, ", \"tag\": \"v2\"" STANDARD, LENGTH, TAIL},    /* one that isn't signed */
        {HEAD, ", \"x\": {\"a\": 2}" STANDARD, LENGTH, TAIL},
        {HEAD, STANDARD " {}", LENGTH, TAIL},
        {HEAD, "\n}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": []}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": [5]}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": {\"protected\": \"%s\"}}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": [{\"protected\": 5}]}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": [{\"protected\": \"e30\"}]}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": [{\"protected\": \"&\"}]}", LENGTH, TAIL},
        {HEAD, ", \"signatures\": [{\"protected\": \"eA\"}]}", LENGTH, TAIL}, /* x */
        {"{\"schemaVersion\":2,\"a\":1", STANDARD, 24, "fQ"},
        {"{\"schemaVersion\":\"1\",\"a\":", "1" STANDARD, 27, "fQ"},
        {"{\"a\":1", STANDARD, 6, "fQ"},
        {"<html>", STANDARD, 6, "fQ"},
        {"", "", 0, TAIL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(4 * KIB), payload = BERTH_BUF_INIT(4 * KIB);
        make(&bytes, rows[i].head, rows[i].rest, rows[i].length, rows[i].tail);
        CHECK_ROW(i, oci_schema1_payload(berth_buf_str(&bytes), &payload, &test_err) == BERTH_E_INVALID);
        CHECK_ROW(i, payload.n == 0);
    }
}

static void test_oci_schema1__either_digest_is_right(void **state)
{
    (void)state;
    static const enum hash_algorithm algorithms[] = {HASH_SHA256, HASH_SHA512};
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(4 * KIB);
    make(&bytes, HEAD, STANDARD, LENGTH, TAIL);
    for (size_t i = 0; i < COUNT(algorithms); i++) {
        berth_digest whole, payload, other;
        digest_of(algorithms[i], bytes.p, bytes.n, &whole);
        digest_of(algorithms[i], PAYLOAD, sizeof(PAYLOAD) - 1, &payload);
        digest_of(algorithms[i], "x", 1, &other);
        CHECK_ROW(i, oci_schema1_compare(berth_buf_str(&bytes), &whole) == BERTH_OK);
        CHECK_ROW(i, oci_schema1_compare(berth_buf_str(&bytes), &payload) == BERTH_OK);
        CHECK_ROW(i, oci_schema1_compare(berth_buf_str(&bytes), &other) == BERTH_E_DIGEST);
        CHECK_ROW(i, oci_schema1_compare(STR("{}"), &payload) == BERTH_E_DIGEST);
    }
}

RUN_TESTS(TEST(test_oci_schema1__finds_what_is_signed),
          TEST(test_oci_schema1__refuses_what_is_not_signed_as_a_whole),
          TEST(test_oci_schema1__either_digest_is_right))
