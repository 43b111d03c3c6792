/* tests/fuzz/helper.c - what a credential helper answers. */
#include "auth/helper.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(4 * MIB);
    berth_str s = {(const char *)data, size};
    auth_credentials c = {0}, again = {0};
    auth_helper_has_none(s);
    if (auth_helper_name_valid(s))
        require(!memchr(s.p, '/', s.n) && s.n);
    if (auth_helper_read(s, &arena, &c, NULL) != BERTH_OK)
        return 0;
    /* what a helper says can be given to one, and comes back */
    if (auth_helper_print(STR("a.example"), &c, &text, NULL) == BERTH_OK && !auth_credentials_empty(&c)) {
        require(auth_helper_read(berth_buf_str(&text), &arena, &again, NULL) == BERTH_OK);
        require(str_eq(c.username, again.username) && str_eq(c.password, again.password));
        require(str_eq(c.identity_token, again.identity_token));
    }
    return 0;
}
