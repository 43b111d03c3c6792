/* tests/unit/util/mask.c */
#include "test.h"

#include "util/mask.h"

static void test_util_mask__hides_what_stands_before_a_host(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"http://u:pw@host:1/v2/", "http://***@host:1/v2/"},
        {"http://u:p@w@host:1", "http://***@host:1"},
        {"http://u:p@/w@host:1", "http://***@host:1"},
        {"http://u:p/w@host:1", "http://***@host:1"},
        {"http://u:p?w@host:1", "http://***@host:1"},
        {"http://u:p w@ho st", "http://***@ho st"},
        {"http://token@host", "http://***@host"},
        {"--proxy=socks5h://u:pw@host", "--proxy=socks5h://***@host"},
        {"u:pw@host/app:v1", "***@host/app:v1"},
        {"u:p/w@host/app", "***@host/app"},
        {"http://u:pw@host/app@sha256:00", "http://***@host/app@sha256:00"},
        /* What has nothing to hide. */
        {"", ""},
        {"http://host:5000/v2/?x=a@b", "http://host:5000/v2/?x=a@b"},
        {"http://[::1]:5000/a@b", "http://[::1]:5000/a@b"},
        {"app:v1@sha256:00", "app:v1@sha256:00"},
        {"host:5000/app:v1@sha512:00", "host:5000/app:v1@sha512:00"},
        {"host:5000/app@v1", "host:5000/app@v1"},
        {"docker://host/app@v1", "docker://host/app@v1"},
        {"name@host", "name@host"},
        {"oci:/some/folder@v1", "***@v1"}, /* rather too much than too little */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(KIB);
        mask_add(&out, str_from(rows[i].text));
        CHECK_STR_ROW(i, berth_buf_str(&out), str_from(rows[i].shown));
    }
}

RUN_TESTS(TEST(test_util_mask__hides_what_stands_before_a_host))
