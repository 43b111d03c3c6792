/* tests/unit/content/tar_write.c - what is written is read by tests/unit/content/tar.c; here the form alone.
 */
#include "test.h"

#include "content/tar.h"

static void test_content_tar_write__is_ustar_where_that_has_room(void **state)
{
    (void)state;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    tar_print_header(&out, &(struct tar_entry){TAR_FILE, "f", "", 10, 8, 0644});
    CHECK(out.n == TAR_BLOCK);
    CHECK_STR(((berth_str){out.p + 100, 8}), STR("0000644\0"));
    CHECK_STR(((berth_str){out.p + 108, 8}), STR("0000000\0")); /* nobody's */
    CHECK_STR(((berth_str){out.p + 124, 12}), STR("00000000012\0"));
    CHECK_STR(((berth_str){out.p + 136, 12}), STR("00000000010\0"));
    CHECK_STR(((berth_str){out.p + 257, 8}), STR("ustar\0"
                                                 "00"));
}

static void test_content_tar_write__a_record_counts_its_own_length(void **state)
{
    (void)state;
    char path[200] = {0};
    for (size_t n = 101; n < sizeof(path); n++) { /* across 99 and 100 bytes, and where a digit is added */
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
        memset(path, 'p', n);
        path[n] = '\0';
        tar_print_header(&out, &(struct tar_entry){TAR_FILE, path, "", 077777777777 + 1ull, 0, 0644});
        berth_str record = str_from(out.p + TAR_BLOCK), digits, rest;
        uint64_t length;
        str_cut(record, ' ', &digits, &rest);
        CHECK_ROW(n, str_to_u64(digits, &length) && out.p[TAR_BLOCK + length - 1] == '\n');
        CHECK_ROW(n, str_starts(str_from_offset(record, (size_t)length), STR("19 size=8589934592\n")));
    }
    CHECK(tar_padding(0) == 0 && tar_padding(1) == 511 && tar_padding(512) == 0 && tar_padding(513) == 511);
}

RUN_TESTS(TEST(test_content_tar_write__is_ustar_where_that_has_room),
          TEST(test_content_tar_write__a_record_counts_its_own_length))
