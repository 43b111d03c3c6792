/* tests/fuzz/credentials.c - Docker's config.json, the places and the base64 in it, and changes to it. */
#include "auth/credentials.h"
#include "auth/helper.h"
#include "fuzz.h"
#include "util/base64.h"

/* A login keeps what it was given, and a logout leaves nothing of it. */
static void change(berth_str config, berth_arena *arena)
{
    CLEANUP(berth_buf_done) berth_buf in = BERTH_BUF_INIT(16 * MIB);
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(16 * MIB);
    const auth_credentials c = {.username = STR("alice"), .password = STR("s:x")};
    const auth_target target = {STR("new.example"), STR(""), AUTH_ALL};
    auth_credentials found = {0};
    bool dropped = false;
    if (auth_credentials_put(config, STR("new.example"), &c, &in, NULL) != BERTH_OK)
        return;
    require(auth_credentials_find(berth_buf_str(&in), &target, arena, &found, NULL) == BERTH_OK);
    require(str_eq(found.username, c.username) && str_eq(found.password, c.password));
    require(auth_credentials_drop(berth_buf_str(&in), STR("https://NEW.example/v1/"), &out, &dropped, NULL) ==
            BERTH_OK);
    require(dropped);
    require(auth_credentials_drop(berth_buf_str(&out), STR("new.example"), &in, &dropped, NULL) == BERTH_OK);
    require(!dropped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    CLEANUP(berth_buf_done) berth_buf bytes = BERTH_BUF_INIT(MIB);
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(2 * MIB);
    CLEANUP(berth_buf_done) berth_buf again = BERTH_BUF_INIT(MIB);
    const auth_target app = {STR("a.example"), STR("team/app"), AUTH_READ},
                      hub = {STR("docker.io"), STR("library/alpine"), AUTH_WRITE};
    berth_str s = {(const char *)data, size}, name, server;
    auth_credentials c;
    if (auth_credentials_find(s, &app, &arena, &c, NULL) == BERTH_OK)
        require(!auth_credentials_empty(&c));
    auth_credentials_find(s, &hub, &arena, &c, NULL);
    if (auth_credentials_helper(s, STR("a.example"), &arena, &name, &server, NULL) == BERTH_OK)
        require(!name.n || auth_helper_name_valid(name));
    auth_place_rank(s, AUTH_READ, &app);
    require(auth_place_same(s, s));
    change(s, &arena);

    if (base64_decode(s, &bytes)) {
        base64_encode(&text, bytes.p ? bytes.p : "", bytes.n);
        require(base64_decode(berth_buf_str(&text), &again));
        require(str_eq(berth_buf_str(&bytes), berth_buf_str(&again)));
    }
    return 0;
}
