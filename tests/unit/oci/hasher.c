/* tests/unit/oci/hasher.c */
#include "test.h"

#include <berth/digest.h>

#include "util/fault.h"

/* NIST's example: "abc". */
#define ABC256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC512                                                                                               \
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feeb"  \
    "bd454d4423643ce80e2a9ac94fa54ca49f"

static void test_oci_hasher__knows_digests_of_what_came_in_pieces(void **state)
{
    (void)state;
    static const struct {
        unsigned algorithm;
        const char *digest;
    } rows[] = {{BERTH_DIGEST_SHA256, ABC256}, {BERTH_DIGEST_SHA512, ABC512}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_hasher *h = NULL;
        berth_digest have, want;
        CHECK_OK(berth_hasher_new(rows[i].algorithm, &h, &test_err));
        berth_hasher_update(h, "a", 1);
        berth_hasher_digest(h, &have); /* asking does not end it */
        berth_hasher_update(h, NULL, 0);
        berth_hasher_update(h, "bc", 2);
        berth_hasher_digest(h, &have);
        CHECK_STR_ROW(i, str_from(have.text), str_from(rows[i].digest));
        CHECK_ROW(i, berth_hasher_count(h) == 3);
        CHECK_OK(berth_digest_parse(rows[i].digest, &want, &test_err));
        CHECK_OK(berth_hasher_verify(h, &want, &test_err));
        CHECK_OK(berth_digest_of(rows[i].algorithm, "abc", 3, &have, &test_err));
        CHECK_ROW(i, berth_digest_equal(&have, &want) && berth_digest_compare(&have, &want) == 0);
        berth_hasher_update(h, "d", 1);
        CHECK_CODE(berth_hasher_verify(h, &want, &test_err), BERTH_E_DIGEST);
        CHECK_ROW(i, strstr(test_err.message, "4 bytes"));
        berth_hasher_free(h);
    }
}

static void test_oci_hasher__refuses_other_algorithms(void **state)
{
    (void)state;
    berth_hasher *h = NULL;
    berth_digest d;
    CHECK_CODE(berth_hasher_new(2, &h, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_digest_of(99, "", 0, &d, &test_err), BERTH_E_INVALID);
    CHECK(h == NULL);
    CHECK_OK(berth_hasher_new(BERTH_DIGEST_SHA256, &h, &test_err));
    CHECK_OK(berth_digest_parse(ABC512, &d, &test_err));
    CHECK_CODE(berth_hasher_verify(h, &d, &test_err), BERTH_E_INVALID);
    berth_hasher_free(h);
    berth_hasher_free(NULL);
    h = NULL;
    fault_arm(1);
    CHECK_CODE(berth_hasher_new(BERTH_DIGEST_SHA256, &h, &test_err), BERTH_E_NOMEM);
    CHECK(fault_disarm() && !h);
}

RUN_TESTS(TEST(test_oci_hasher__knows_digests_of_what_came_in_pieces),
          TEST(test_oci_hasher__refuses_other_algorithms))
