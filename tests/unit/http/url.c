/* tests/unit/http/url.c */
#include "test.h"

#include "http/url.h"

static void test_http_url__decodes_escapes_or_refuses_them(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool plus;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"", false, ""},         {"abc", true, "abc"},
        {"a%20b", false, "a b"}, {"a+b", false, "a+b"},
        {"a+b", true, "a b"},    {"%2B", true, "+"},
        {"%2f%2F", false, "//"}, {"%c3%A9", false, "\xc3\xa9"},
        {"%25", false, "%"},     {"%2541", false, "%41"},
        {"%", false, NULL},      {"%4", false, NULL},
        {"a%zz", false, NULL},   {"%00", false, NULL},
        {"a%0", true, NULL},     {"%-1", false, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_str out = STR_NULL;
        bool ok = http_url_decode(str_from(rows[i].in), rows[i].plus, &arena, &out);
        CHECK_ROW(i, ok == (rows[i].want != NULL));
        if (ok)
            CHECK_STR_ROW(i, out, str_from(rows[i].want));
    }
}

static void test_http_url__decodes_what_it_encoded(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
    char all[255];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)(i + 1);
    http_url_encode(&out, (berth_str){all, sizeof(all)}, "/:");
    berth_str back;
    CHECK(http_url_decode(berth_buf_str(&out), true, &arena, &back));
    CHECK_STR(back, ((berth_str){all, sizeof(all)}));

    berth_buf_reset(&out);
    http_url_encode(&out, STR("a/b:c d\0~_-.+"), "/");
    CHECK_STR(berth_buf_str(&out), STR("a/b%3Ac%20d%00~_-.%2B"));
    berth_buf_reset(&out);
    http_url_encode(&out, STR("/"), NULL);
    CHECK_STR(berth_buf_str(&out), STR("%2F"));
}

static void test_http_url__finds_values_in_a_query(void **state)
{
    (void)state;
    static const struct {
        const char *query, *key;
        size_t i;
        bool ok;
        const char *want; /* NULL: none */
    } rows[] = {
        {"n=5&last=a%2Fb", "n", 0, true, "5"},
        {"n=5&last=a%2Fb", "last", 0, true, "a/b"},
        {"n=5&last=a%2Fb", "n", 1, true, NULL},
        {"n=5", "N", 0, true, NULL},
        {"", "n", 0, true, NULL},
        {"n", "n", 0, true, ""},
        {"n=", "n", 0, true, ""},
        {"tag=a&x=y&tag=b", "tag", 1, true, "b"},
        {"tag=a&x=y&tag=b", "tag", 2, true, NULL},
        {"&&n=5&", "n", 0, true, "5"},
        {"%6e=5", "n", 0, true, "5"},
        {"n=a=b", "n", 0, true, "a=b"},
        {"s=a+b%2Bc", "s", 0, true, "a+b+c"},
        {"n=%zz", "n", 0, false, NULL},
        {"x=%zz&n=5", "n", 0, false, NULL},
        {"n=5&x=%", "n", 0, false, NULL},
        {"n=5&x=%00", "n", 0, false, NULL},
        {"=5", "", 0, true, "5"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_str out = STR_NULL;
        CHECK_ROW(i, http_query_get(str_from(rows[i].query), rows[i].key, rows[i].i, &arena, &out) ==
                         rows[i].ok);
        CHECK_ROW(i, http_query_valid(str_from(rows[i].query)) == rows[i].ok);
        CHECK_ROW(i, !rows[i].ok || (out.p != NULL) == (rows[i].want != NULL));
        if (rows[i].ok && rows[i].want)
            CHECK_STR_ROW(i, out, str_from(rows[i].want));
    }
}

static void test_http_url__tells_when_a_value_is_contradicted(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool ok;
        const char *want, *other; /* NULL: none */
    } rows[] = {
        {"", true, NULL, NULL},         {"m=5", true, NULL, NULL},
        {"n=5", true, "5", NULL},       {"n=5&n=5&%6e=%35", true, "5", NULL},
        {"n=5&n=6", true, "5", "6"},    {"n=5&x=1&n=5&%6e=7", true, "5", "7"},
        {"n=5&n", true, "5", ""},       {"n=&n=5", true, "", "5"},
        {"n=5&n=%", false, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        berth_str out = STR_NULL, other = STR_NULL;
        CHECK_ROW(i, http_query_one(str_from(rows[i].query), "n", &arena, &out, &other) == rows[i].ok);
        CHECK_ROW(i, (out.p != NULL) == (rows[i].want != NULL));
        CHECK_ROW(i, (other.p != NULL) == (rows[i].other != NULL));
        CHECK_STR_ROW(i, out, str_from(rows[i].want));
        CHECK_STR_ROW(i, other, str_from(rows[i].other));
    }
}

RUN_TESTS(TEST(test_http_url__tells_when_a_value_is_contradicted),
          TEST(test_http_url__decodes_escapes_or_refuses_them), TEST(test_http_url__decodes_what_it_encoded),
          TEST(test_http_url__finds_values_in_a_query))
