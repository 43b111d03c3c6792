/* tests/unit/util/hash.c */
#include "test.h"

#include "util/hash.h"

static void digest_text(enum hash_algorithm a, const char *s, size_t n, char out[129])
{
    unsigned char d[HASH_MAX_SIZE];
    berth_hash h;
    hash_init(&h, a);
    hash_update(&h, s, n);
    hex_encode(d, hash_final(&h, d), out);
}

static void test_util_hash__gives_the_published_digests(void **state)
{
    (void)state;
    char hex[129];
    digest_text(HASH_SHA256, "abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_text(HASH_SHA512, "abc", 3, hex);
    assert_string_equal(hex, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void test_util_hash__goes_on_from_a_saved_state_at_every_split(void **state)
{
    (void)state;
    char data[300], whole[129], resumed[129];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    for (unsigned a = 0; a < HASH_ALGORITHMS_; a++) {
        digest_text((enum hash_algorithm)a, data, sizeof(data), whole);
        for (size_t split = 0; split <= sizeof(data); split++) {
            berth_hash h, later;
            unsigned char saved[HASH_STATE_MAX], d[HASH_MAX_SIZE];
            hash_init(&h, (enum hash_algorithm)a);
            hash_update(&h, data, split);
            size_t n = hash_save(&h, saved);
            CHECK(hash_load(&later, saved, n));
            hash_update(&later, data + split, sizeof(data) - split);
            hex_encode(d, hash_final(&later, d), resumed);
            assert_string_equal(resumed, whole);
        }
    }
}

static void test_util_hash__refuses_a_state_it_cannot_know(void **state)
{
    (void)state;
    berth_hash h, later;
    unsigned char saved[HASH_STATE_MAX];
    hash_init(&h, HASH_SHA256);
    hash_update(&h, "abc", 3);
    size_t n = hash_save(&h, saved);
    CHECK(!hash_load(&later, saved, n - 1));
    CHECK(!hash_load(&later, saved, 0));
    saved[0]++;
    CHECK(!hash_load(&later, saved, n));
    saved[0]--;
    saved[1] = 9;
    CHECK(!hash_load(&later, saved, n));
}

RUN_TESTS(TEST(test_util_hash__gives_the_published_digests),
          TEST(test_util_hash__goes_on_from_a_saved_state_at_every_split),
          TEST(test_util_hash__refuses_a_state_it_cannot_know))
