/* tests/unit/auth/challenge.c */
#include "test.h"

#include <stdio.h>

#include "auth/challenge.h"

/* "bearer realm|service|scope; basic realm||": what was read, in order. */
static void print(const auth_challenges *all, char *out, size_t size)
{
    static const char *const names[] = {"other", "basic", "bearer"};
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < all->n && n < size; i++) {
        const auth_challenge *c = &all->list[i];
        n += (size_t)snprintf(out + n, size - n, "%s%s " STR_FMT "|" STR_FMT "|" STR_FMT, i ? "; " : "",
                              names[c->scheme], STR_ARG(c->realm), STR_ARG(c->service), STR_ARG(c->scope));
    }
}

static void test_auth_challenge__reads_what_registries_send(void **state)
{
    (void)state;
    static const struct {
        const char *field, *want;
    } rows[] = {
        {"", ""},
        {"Basic realm=\"berth\"", "basic berth||"},
        {"basic", "basic ||"},
        {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\"",
         "bearer https://auth.docker.io/token|registry.docker.io|"},
        {"BEARER Realm=\"https://a/t\", Service=\"s\", SCOPE=\"repository:a/b:pull,push\"",
         "bearer https://a/t|s|repository:a/b:pull,push"},
        {"Bearer realm=https://a/t,service=s,scope=repository:a/b:pull,push,error=insufficient_scope",
         "bearer https://a/t|s|repository:a/b:pull,push"},
        {"Bearer realm='https://a/t',service='s'", "bearer https://a/t|s|"},
        {"Bearer realm = \"https://a/t\" , service = \"s\"", "bearer https://a/t|s|"},
        {"Bearer realm=\"https://a/t?x=\\\"1\\\"\"", "bearer https://a/t?x=\"1\"||"},
        {"Bearer realm=\"https://a/t", "bearer https://a/t||"}, /* never closed */
        {"Bearer realm=\"https://a/t\",realm=\"https://evil/t\"", "bearer https://a/t||"},
        /* without a scheme word, as in the seed's registry */
        {"realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull\"",
         "bearer https://a/t|s|repository:a:pull"},
        {"service=\"s\",realm=\"https://a/t\"", "bearer https://a/t|s|"},
        {"realm=\"berth\"", "basic berth||"},
        /* several in one field */
        {"Basic realm=\"one\", Bearer realm=\"https://a/t\",service=\"s\"",
         "basic one||; bearer https://a/t|s|"},
        {"Bearer realm=\"https://a/t\",service=\"s\", Basic realm=\"one\"",
         "bearer https://a/t|s|; basic one||"},
        {"Negotiate, Basic realm=\"x\"", "other ||; basic x||"},
        {"Negotiate YWJj==, Basic realm=\"x\"", "other ||; basic x||"},
        {"Digest realm=\"d\", nonce=\"Basic realm=n\", Basic realm=\"x\"", "other d||; basic x||"},
        {",, ,Basic ,realm=\"x\",,", "basic x||"},
        {"\"Basic\"", "basic ||"}, /* bad quoting of the word itself */
        {"=,=\"\"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
        auth_challenges all = {0};
        char text[1024];
        CHECK_ROW(i, auth_challenges_parse(str_from(rows[i].field), &arena, &all));
        print(&all, text, sizeof(text));
        CHECK_STR_ROW(i, str_from(text), str_from(rows[i].want));
    }
}

static void test_auth_challenge__adds_up_fields_and_passes_over_too_many(void **state)
{
    (void)state;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_challenges all = {0};
    CHECK(auth_challenges_parse(STR("Basic realm=\"x\""), &arena, &all));
    CHECK(auth_challenges_parse(STR("Bearer service=\"none\""), &arena, &all));
    CHECK(auth_challenges_parse(STR("Bearer realm=\"https://a\""), &arena, &all));
    assert_int_equal(all.n, 3);
    CHECK(auth_challenges_find(&all, AUTH_BASIC) == &all.list[0]);
    CHECK(auth_challenges_find(&all, AUTH_BEARER) == &all.list[2]); /* the one that says where */
    for (size_t i = 0; i < 20; i++)
        CHECK(auth_challenges_parse(STR("Digest realm=\"x\""), &arena, &all));
    assert_int_equal(all.n, AUTH_CHALLENGES_MAX);
    CHECK_STR(all.list[0].realm, STR("x"));
}

RUN_TESTS(TEST(test_auth_challenge__reads_what_registries_send),
          TEST(test_auth_challenge__adds_up_fields_and_passes_over_too_many))
