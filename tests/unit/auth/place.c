/* tests/unit/auth/place.c */
#include "test.h"

#include "auth/place.h"

static void test_auth_place__leads_to_what_it_names(void **state)
{
    (void)state;
    static const struct {
        const char *place, *host, *repository;
        bool fits;
    } rows[] = {
        {"a.example", "a.example", "team/app", true},
        {"A.Example", "a.EXAMPLE", "team/app", true},
        {"a.example:5000", "a.example", "x", false},
        {"a.example", "a.example:5000", "x", false},
        {"https://a.example", "a.example", "x", true},
        {"HTTP://a.example/v1/", "a.example", "x", true},
        {"a.example/v2", "a.example", "x", true},
        {"a.example/team", "a.example", "team", true},
        {"a.example/team/", "a.example", "team/app", true},
        {"a.example/Team", "a.example", "team/app", true},
        {"a.example/team", "a.example", "teams/app", false}, /* a path ends at its border */
        {"a.example/team", "a.example", "", false},
        {"https://index.docker.io/v1/", "registry-1.docker.io", "library/alpine", true},
        {"docker.io/library", "index.docker.io", "library/alpine", true},
        {"registry-1.docker.io", "docker.io", "x", true},
        {"*", "a.example:5000", "x", true},
        {"", "a.example", "x", true},
        {"*/team", "a.example", "team/app", true},
        {"*/team", "a.example", "app", false},
        {"*.example", "a.example", "x", true},
        {"*.example", "A.EXAMPLE", "x", true},
        {"*.example", "example", "x", false},
        {"*.example", "a.b.example", "x", false}, /* one label */
        {"*.*.example", "a.b.example", "x", true},
        {"*.example", "a.example.evil", "x", false},
        {"*.example", "a.example:5000", "x", false},
        {"*.example:5000", "a.example:5000", "x", true},
        {"a*c.example", "abbc.example", "x", true},
        {"a*c.example", "acb.example", "x", false},
        {"a*c*.example", "abcbc.example", "x", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const auth_target t = {str_from(rows[i].host), str_from(rows[i].repository), AUTH_READ};
        CHECK_ROW(i, (auth_place_rank(str_from(rows[i].place), AUTH_ALL, &t) > 0) == rows[i].fits);
    }
}

static void test_auth_place__prefers_what_says_more_and_then_what_may_less(void **state)
{
    (void)state;
    static const struct {
        const char *place;
        enum auth_privilege may;
    } rows[] = {/* better from row to row */
                {"", AUTH_ALL},
                {"*", AUTH_READ},
                {"*/team/app", AUTH_ALL},
                {"*.example", AUTH_ALL},
                {"*.example/team", AUTH_ALL},
                {"a.example", AUTH_ALL},
                {"a.example", AUTH_WRITE},
                {"a.example", AUTH_READ},
                {"a.example/team", AUTH_ALL},
                {"a.example/team/app", AUTH_ALL},
                {"a.example/team/app", AUTH_READ}};
    const auth_target reads = {STR("a.example"), STR("team/app"), AUTH_READ},
                      writes = {STR("a.example"), STR("team/app"), AUTH_WRITE};
    uint64_t before = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t rank = auth_place_rank(str_from(rows[i].place), rows[i].may, &reads);
        CHECK_ROW(i, rank > before || (i == 1 && rank >= before));
        before = rank;
        CHECK_ROW(i, !auth_place_rank(str_from(rows[i].place), rows[i].may, &writes) ==
                         (rows[i].may == AUTH_READ));
    }
}

static void test_auth_place__knows_the_same_place_again(void **state)
{
    (void)state;
    CHECK(auth_place_same(STR("https://index.docker.io/v1/"), STR("docker.io")));
    CHECK(auth_place_same(STR("http://A.example"), STR("a.example/")));
    CHECK(!auth_place_same(STR("a.example/team"), STR("a.example")));
    CHECK(!auth_place_same(STR("*"), STR("a.example")));
    CHECK_STR(auth_place_of(STR("registry-1.docker.io")), STR("https://index.docker.io/v1/"));
    CHECK_STR(auth_place_of(STR("a.example:5000")), STR("a.example:5000"));
}

RUN_TESTS(TEST(test_auth_place__leads_to_what_it_names),
          TEST(test_auth_place__prefers_what_says_more_and_then_what_may_less),
          TEST(test_auth_place__knows_the_same_place_again))
