/* tests/fuzz/credentials.c - Docker's config.json, and the base64 in it. */
#include <stdlib.h>

#include "auth/credentials.h"
#include "util/base64.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(MIB);
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(2 * MIB);
    CLEANUP(berth_buf_done) berth_buf again = BERTH_BUF_INIT(MIB);
    berth_str s = {(const char *)data, size};
    auth_credentials c;
    if (auth_credentials_find(s, &(auth_target){STR("a.example"), STR("team/app"), AUTH_READ}, &arena, &c,
                              NULL) == BERTH_OK)
        require(c.username.n || c.identity_token.n || c.registry_token.n);
    auth_credentials_find(s, &(auth_target){STR("docker.io"), STR("library/alpine"), AUTH_READ}, &arena, &c,
                          NULL);

    if (base64_decode(s, &bytes)) {
        base64_encode(&text, bytes.p ? bytes.p : "", bytes.n);
        require(base64_decode(berth_buf_str(&text), &again));
        require(str_eq(berth_buf_str(&bytes), berth_buf_str(&again)));
    }
    return 0;
}
