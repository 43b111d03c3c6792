/* tests/unit/storage/faulty.c */
#include "test.h"

#include "storage/store.h"

#define KEY "00112233445566778899aabbccddeeff"

/* Calls 1 to 6 of an object's life, in this order. */
static int live(blob_store *s, blob_reader **ret_r)
{
    blob_writer *w;
    int r = store_create(s, KEY, &w, &test_err);
    if (r != BERTH_OK)
        return r;
    r = store_append(w, "abc", 3, &test_err);
    if (r != BERTH_OK) {
        store_abandon(w);
        return r;
    }
    r = store_suspend(w, &test_err);
    if (r == BERTH_OK)
        r = store_resume(s, KEY, 3, &w, &test_err);
    if (r == BERTH_OK)
        r = store_complete(w, "sha256:0", &test_err);
    return r == BERTH_OK ? store_open(s, KEY, ret_r, &test_err) : r;
}

static void test_storage_faulty__fails_the_call_asked_for_once(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 7; nth++) {
        blob_store *s, *memory;
        blob_reader *r = NULL;
        CHECK_OK(store_memory_new(&memory, &test_err));
        CHECK_OK(store_faulty_new(memory, &s, &test_err));
        CHECK(!store_faulty_fail(s, nth, BERTH_E_NO_SPACE));
        CHECK_CODE(live(s, &r), nth <= 6 ? BERTH_E_NO_SPACE : BERTH_OK);
        CHECK(store_faulty_fail(s, 0, BERTH_OK) == (nth <= 6));
        CHECK(!store_faulty_fail(s, 0, BERTH_OK));
        store_close(r);
        CHECK_OK(store_remove(s, KEY, &test_err));
        CHECK_OK(live(s, &r)); /* disarmed */
        store_close(r);
        store_free(s);
    }
}

static void test_storage_faulty__fails_reads_and_removals(void **state)
{
    (void)state;
    blob_store *s, *memory;
    blob_reader *r;
    char p[4];
    size_t n;
    CHECK_OK(store_memory_new(&memory, &test_err));
    CHECK_OK(store_faulty_new(memory, &s, &test_err));
    CHECK_OK(live(s, &r));
    store_faulty_fail(s, 2, BERTH_E_IO);
    CHECK_OK(store_read(r, 0, p, sizeof(p), &n, &test_err));
    CHECK_CODE(store_read(r, 0, p, sizeof(p), &n, &test_err), BERTH_E_IO);
    CHECK_OK(store_read(r, 0, p, sizeof(p), &n, &test_err));
    store_close(r);
    store_faulty_fail(s, 1, BERTH_E_BUSY);
    CHECK_CODE(store_remove(s, KEY, &test_err), BERTH_E_BUSY);
    CHECK_OK(store_open(s, KEY, &r, &test_err)); /* it never reached the inner store */
    store_close(r);
    store_free(s);
}

RUN_TESTS(TEST(test_storage_faulty__fails_the_call_asked_for_once),
          TEST(test_storage_faulty__fails_reads_and_removals))
