/* auth/helper.c - see helper.h. */
#include "auth/helper.h"

#include <jansson.h>

#define TOKEN_NAME "<token>"

static void unrefp(json_t **j)
{
    json_decref(*j);
}

bool auth_helper_name_valid(berth_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr("._+-", c)))
            return false;
    }
    return name.n > 0;
}

/* Copied; empty where it is absent or no string. .p NULL: no memory. */
static berth_str member(const json_t *j, const char *key, berth_arena *arena)
{
    const json_t *v = json_object_get(j, key);
    if (!json_is_string(v) || !json_string_length(v))
        return STR("");
    return berth_arena_str(arena, (berth_str){json_string_value(v), json_string_length(v)});
}

int auth_helper_read(berth_str answer, berth_arena *arena, auth_credentials *ret, berth_error *err)
{
    json_error_t why;
    CLEANUP(unrefp) json_t *j = json_loadb(answer.n ? answer.p : "", answer.n, 0, &why);
    if (!json_is_object(j))
        return berth_error_set(err, BERTH_E_INVALID, "its answer is no JSON object");
    berth_str username = member(j, "Username", arena), secret = member(j, "Secret", arena);
    if (!username.p || !secret.p)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (!username.n && !secret.n)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "it has no credentials");
    if (!username.n)
        return berth_error_set(err, BERTH_E_INVALID, "its answer has no user name");
    if (str_eq(username, STR(TOKEN_NAME)))
        *ret = (auth_credentials){.identity_token = secret};
    else
        *ret = (auth_credentials){.username = username, .password = secret};
    return BERTH_OK;
}

bool auth_helper_has_none(berth_str answer)
{
    static const char *const said[] = {"credentials not found in native keychain", "credentials not found",
                                       "no credentials server URL", "no usernames for"};
    for (size_t i = 0; i < COUNT(said); i++)
        if (str_starts(str_trim(answer), str_from(said[i])))
            return true;
    return false;
}

int auth_helper_print(berth_str server, const auth_credentials *c, berth_buf *out, berth_error *err)
{
    bool token = c->identity_token.n;
    berth_str username = token ? STR(TOKEN_NAME) : c->username,
              secret = token ? c->identity_token : c->password;
    CLEANUP(unrefp)
    json_t *j = json_pack("{s:s%,s:s%,s:s%}", "ServerURL", server.p, server.n, "Username", username.p,
                          username.n, "Secret", secret.p ? secret.p : "", secret.n);
    if (!j)
        return berth_error_set(err, BERTH_E_INVALID, "a name or a secret that is not UTF-8 can't be stored");
    berth_buf_reserve(out, json_dumpb(j, NULL, 0, JSON_COMPACT)); /* what moves leaves secrets behind */
    return json_dump_callback(j, berth_buf_write, out, JSON_COMPACT) == 0
               ? BERTH_OK
               : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}
