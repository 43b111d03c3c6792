/* tests/fuzz/challenge.c - WWW-Authenticate, and the scopes in it: views stay inside what was given, and a
 * merged scope covers both of its parts. */
#include "auth/challenge.h"
#include "auth/scope.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    auth_challenges all = {0};
    require(auth_challenges_parse((berth_str){(const char *)data, size}, &arena, &all));
    require(all.n <= AUTH_CHALLENGES_MAX);
    berth_str before = STR("");
    for (size_t i = 0; i < all.n; i++) {
        const auth_challenge *c = &all.list[i];
        require(c->realm.n + c->service.n + c->scope.n + c->error.n <= size);
        if (!c->scope.p)
            continue;
        CLEANUP(berth_buf_done) berth_buf both = BERTH_BUF_INIT(64 * KIB), again = BERTH_BUF_INIT(64 * KIB);
        auth_scope_merge(&both, before, c->scope);
        auth_scope_merge(&again, berth_buf_str(&both), c->scope);
        if (!berth_buf_failed(&both) && !berth_buf_failed(&again)) {
            require(auth_scope_covers(berth_buf_str(&both), before));
            require(auth_scope_covers(berth_buf_str(&both), c->scope));
            require(str_eq(berth_buf_str(&both), berth_buf_str(&again)));
        }
        before = c->scope;
    }
    const auth_challenge *bearer = auth_challenges_find(&all, AUTH_BEARER);
    require(!bearer || bearer->realm.n);
    return 0;
}
