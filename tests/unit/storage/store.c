/* tests/unit/storage/store.c - what holds on every driver because it is decided before one is asked. */
#include "test.h"

#include "storage/store.h"

#define KEY "00112233445566778899aabbccddeeff"

static void test_storage_store__keys_are_what_we_make_ourselves(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool valid;
    } rows[] = {
        {KEY, true},
        {"", false},
        {"00112233445566778899aabbccddeef", false},   /* shorter */
        {"00112233445566778899aabbccddeefff", false}, /* longer */
        {"00112233445566778899AABBCCDDEEFF", false},  /* another name for it on some file systems */
        {"00112233445566778899aabbccddee/f", false},
        {"../../../../../../../../etc/pass", false},
        {"00112233445566778899aabbccddeefg", false},
    };
    blob_store *s;
    CHECK_OK(store_memory_new(&s, &test_err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        blob_writer *w = NULL;
        blob_reader *r = NULL;
        CHECK_ROW(i, store_key_valid(str_from(rows[i].key)) == rows[i].valid);
        if (rows[i].valid)
            continue;
        CHECK_ROW(i, store_create(s, rows[i].key, &w, &test_err) == BERTH_E_INVALID && !w);
        CHECK_ROW(i, store_resume(s, rows[i].key, 0, &w, &test_err) == BERTH_E_INVALID && !w);
        CHECK_ROW(i, store_open(s, rows[i].key, &r, &test_err) == BERTH_E_INVALID && !r);
        CHECK_ROW(i, store_remove(s, rows[i].key, &test_err) == BERTH_E_INVALID);
    }
    store_free(s);
}

static void test_storage_store__nothing_is_as_good_as_something_to_let_go(void **state)
{
    (void)state;
    store_abandon(NULL);
    store_close(NULL);
    store_free(NULL);
}

RUN_TESTS(TEST(test_storage_store__keys_are_what_we_make_ourselves),
          TEST(test_storage_store__nothing_is_as_good_as_something_to_let_go))
