/* tests/fuzz/token.c - the answers of token endpoints: what is accepted can stand in a header, and ends. */
#include "auth/token.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_token t;
    berth_str body = {(const char *)data, size};
    berth_str refusal = auth_token_refusal(body, &arena);
    for (size_t i = 0; i < refusal.n; i++)
        require(refusal.p[i] >= ' ' && refusal.p[i] <= '~');
    if (auth_token_parse(body, 1795595200000, &arena, &t, NULL) != BERTH_OK)
        return 0;
    require(t.token.n > 0 && t.token.n <= size && t.lifetime_ms > 0);
    for (size_t i = 0; i < t.token.n; i++)
        require(t.token.p[i] > ' ' && t.token.p[i] <= '~');
    return 0;
}
