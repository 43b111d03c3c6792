/* tests/unit/http/peers.c - how much each address holds: counted apart, by kind, and forgotten when it is
 * gone. */
#include "test.h"

#include "http/internal.h"
#include "util/fault.h"

static struct http_address address(const char *text)
{
    struct http_address a;
    CHECK(http_address_parse(str_from(text), &a));
    return a;
}

static void test_http_peers__count_each_address_and_kind_apart(void **state)
{
    (void)state;
    struct http_peers *p = http_peers_new(2, 1);
    const struct http_address one = address("192.0.2.1"), two = address("192.0.2.2");
    CHECK(http_peers_enter(p, &one, HTTP_PEER_CONNECTIONS));
    CHECK(http_peers_enter(p, &one, HTTP_PEER_CONNECTIONS));
    CHECK(!http_peers_enter(p, &one, HTTP_PEER_CONNECTIONS));
    CHECK(http_peers_enter(p, &two, HTTP_PEER_CONNECTIONS)); /* not the neighbour's fault */
    CHECK(http_peers_enter(p, &one, HTTP_PEER_REQUESTS));
    CHECK(!http_peers_enter(p, &one, HTTP_PEER_REQUESTS));
    http_peers_leave(p, &one, HTTP_PEER_CONNECTIONS);
    CHECK(!http_peers_enter(p, &one, HTTP_PEER_REQUESTS));
    CHECK(http_peers_enter(p, &one, HTTP_PEER_CONNECTIONS)); /* who was refused was not counted */
    CHECK(!http_peers_enter(p, &one, HTTP_PEER_CONNECTIONS));
    http_peers_free(p);
    http_peers_free(NULL);
}

static void test_http_peers__know_one_client_by_either_form_of_its_address(void **state)
{
    (void)state;
    struct http_peers *p = http_peers_new(1, 1);
    const struct http_address v4 = address("192.0.2.1"), mapped = address("::ffff:192.0.2.1");
    CHECK(http_peers_enter(p, &v4, HTTP_PEER_CONNECTIONS));
    CHECK(!http_peers_enter(p, &mapped, HTTP_PEER_CONNECTIONS));
    http_peers_free(p);
}

/* More addresses than buckets: they share them, and are told apart all the same. */
static void test_http_peers__hold_many_and_forget_them(void **state)
{
    (void)state;
    struct http_peers *p = http_peers_new(1, 1);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            struct http_address a = {.bytes = {0x20, 1, [14] = (unsigned char)(i >> 8), (unsigned char)i}};
            CHECK_ROW(i, http_peers_enter(p, &a, HTTP_PEER_CONNECTIONS));
            CHECK_ROW(i, !http_peers_enter(p, &a, HTTP_PEER_CONNECTIONS));
        }
        for (unsigned i = 0; i < 5000; i++) {
            struct http_address a = {.bytes = {0x20, 1, [14] = (unsigned char)(i >> 8), (unsigned char)i}};
            http_peers_leave(p, &a, HTTP_PEER_CONNECTIONS);
        }
    }
    http_peers_free(p);
}

static void test_http_peers__let_nobody_in_uncounted(void **state)
{
    (void)state;
    fault_arm(1);
    assert_null(http_peers_new(1, 1));
    CHECK(fault_disarm());
    struct http_peers *p = http_peers_new(1, 1);
    const struct http_address a = address("192.0.2.1");
    fault_arm(1);
    CHECK(!http_peers_enter(p, &a, HTTP_PEER_CONNECTIONS));
    CHECK(fault_disarm());
    CHECK(http_peers_enter(p, &a, HTTP_PEER_CONNECTIONS));
    http_peers_free(p);
}

RUN_TESTS(TEST(test_http_peers__count_each_address_and_kind_apart),
          TEST(test_http_peers__know_one_client_by_either_form_of_its_address),
          TEST(test_http_peers__hold_many_and_forget_them), TEST(test_http_peers__let_nobody_in_uncounted))
