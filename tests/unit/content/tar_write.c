/* tests/unit/content/tar_write.c - what is written is read by tests/unit/content/tar.c, and by others' tools
 * in tests/integration; here what must hold of the bytes. */
#include "fixture.h"

#include "util/fault.h"

static void test_content_tar_write__writes_the_same_bytes_of_nobody(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB), again = BERTH_BUF_INIT(MIB);
    const struct tar_entry e = {TAR_FILE, "f", "", 3, 8, 0644};
    add_entry(&out, &e, "abc");
    add_entry(&again, &e, "abc");
    CHECK_STR(berth_buf_str(&out), berth_buf_str(&again));
    CHECK(out.n == 1024); /* a block that says what, a block that holds it */
    CHECK_STR(((berth_str){out.p + 100, 8}), STR("0000644\0"));
    CHECK_STR(((berth_str){out.p + 108, 8}), STR("0000000\0")); /* the owner, then the group */
    CHECK_STR(((berth_str){out.p + 116, 8}), STR("0000000\0"));
    CHECK_STR(((berth_str){out.p + 136, 12}), STR("00000000010\0"));
    CHECK(out.p[265] == '\0' && out.p[297] == '\0'); /* their names */
    CHECK_STR(((berth_str){out.p + 512, 4}), STR("abc\0"));
}

static int refuse(void *arg, const void *p, size_t n, berth_error *err)
{
    (void)p, (void)n;
    ++*(int *)arg;
    return berth_error_set(err, BERTH_E_NO_SPACE, "full");
}

static void test_content_tar_write__ends_where_the_sink_does(void **state)
{
    (void)state;
    struct tar_writer *w = NULL;
    int asked = 0;
    CHECK_OK(tar_writer_new(refuse, &asked, &w, &test_err));
    CHECK_CODE(tar_writer_entry(w, &(struct tar_entry){TAR_FILE, "f", "", 3, 8, 0644}, &test_err),
               BERTH_E_NO_SPACE);
    CHECK(strcmp(test_err.message, "full") == 0);
    tar_writer_free(w);
    CHECK(asked == 1); /* and of no end */
    tar_writer_free(NULL);
}

static void test_content_tar_write__survives_each_lack_of_memory(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
        struct tar_writer *w = NULL;
        fault_arm(n);
        int r = tar_writer_new(add_bytes, &out, &w, &test_err);
        bool fired = fault_disarm();
        CHECK((r == BERTH_OK) == !fired && (r == BERTH_OK) == (w != NULL));
        tar_writer_free(w);
        if (!fired)
            break;
    }
}

RUN_TESTS(TEST(test_content_tar_write__writes_the_same_bytes_of_nobody),
          TEST(test_content_tar_write__ends_where_the_sink_does),
          TEST(test_content_tar_write__survives_each_lack_of_memory))
